/* SPDX-License-Identifier: BSD-2-Clause */
/* What newlib's arc4random asks of the system it runs on. */
#include <signal.h>
#include <unistd.h>

#include "drivers/random.h"
#include "include/panic.h"

/* Called by arc4random_buf alone, with the lock of random_bytes. */
int getentropy(void *buffer, size_t size)
{
	random_seed(buffer, size);
	return 0;
}

/* arc4random's answer to a getentropy that fails, which ours does not; newlib's own would want processes. */
int raise(int number)
{
	panic("signal %d", number);
}
