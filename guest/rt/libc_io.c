/* SPDX-License-Identifier: BSD-2-Clause */
/* What newlib's stdio and exit stand on: one console to write to, nothing to read, no files. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/rt/rt.h"

/* newlib's manual, "Syscalls": what a C library without an operating system is to be given. */
int _close(int file);
int _fstat(int file, struct stat *status);
int _getpid(void);
int _isatty(int file);
int _kill(int process, int signal);
off_t _lseek(int file, off_t offset, int whence);
ssize_t _read(int file, void *to, size_t size);
ssize_t _write(int file, const void *from, size_t size);

ssize_t _write(int file, const void *from, size_t size)
{
	if (file != STDOUT_FILENO && file != STDERR_FILENO) {
		errno = EBADF;
		return -1;
	}
	rt_write(from, size);
	return (ssize_t)size;
}

/* The end of the input, at once. */
ssize_t _read(int file, void *to, size_t size)
{
	(void)file;
	(void)to;
	(void)size;
	return 0;
}

/* A terminal: stdout is written line by line. */
int _fstat(int file, struct stat *status)
{
	(void)file;
	status->st_mode = S_IFCHR;
	return 0;
}

int _isatty(int file)
{
	(void)file;
	return 1;
}

off_t _lseek(int file, off_t offset, int whence)
{
	(void)file;
	(void)offset;
	(void)whence;
	return 0;
}

int _close(int file)
{
	(void)file;
	return 0;
}

int _getpid(void)
{
	return 1;
}

/* abort and raise end here. 128 and the signal, as a shell tells it. */
int _kill(int process, int signal)
{
	(void)process;
	rt_exit(128 + (uint64_t)signal);
}

void _exit(int status)
{
	rt_exit((uint64_t)status);
}

/* An unfinished line is written too. In place of rt.c's, which is for guests without stdio. */
void rt_flush_stdio(void)
{
	fflush(stdout);
}
