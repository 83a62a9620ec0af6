/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's console: one sink at a time, where its cursor stands, and whose line is unfinished there. */
#include "drivers/console.h"

#include <string.h>

#include "include/lock.h"
#include "include/types.h"

static console_sink current_sink;
static bool at_line_start = true;
static bool has_records;

/* Whose unfinished line it is that the cursor stands in; NULL: there is none, or it belongs to nobody. */
static const struct console_stream *unfinished;

static struct spinlock lock = SPINLOCK(LOCK_CONSOLE); /* of all of the above, of all streams, and of the sink */
static bool taken_over;                               /* atomic */

#define RECORD 0x1e /* ASCII's "record separator" */

/* Half a second or so: at 115200 baud enough for the most that is written at a time, a hypercall's 4 KiB. */
#define TAKE_OVER_SPINS 50000000

static void take_lock(void)
{
	static unsigned spins; /* only one CPU is left to count them */

	if (!__atomic_load_n(&taken_over, __ATOMIC_RELAXED)) {
		spin_lock(&lock);
		return;
	}
	/* It may be held by a CPU that was stopped, or by this one, further up its stack: it takes long only once to find that out.
	 */
	while (!spin_trylock(&lock) && spins < TAKE_OVER_SPINS)
		spins++;
}

void console_take_over(void)
{
	__atomic_store_n(&taken_over, true, __ATOMIC_RELAXED);
}

void console_set_sink(console_sink sink)
{
	current_sink = sink;
}

static void to_sink(const char *bytes, size_t size)
{
	if (current_sink && size > 0)
		current_sink(bytes, size);
}

/* Write text without bytes that would begin a record. */
static void plain_to_sink(const char *bytes, size_t size)
{
	const char *mark;

	while (has_records && (mark = memchr(bytes, RECORD, size)) != NULL) {
		size_t before = (size_t)(mark - bytes);

		to_sink(bytes, before);
		to_sink("?", 1);
		bytes += before + 1;
		size -= before + 1;
	}
	to_sink(bytes, size);
}

void console_record(const char *bytes, size_t size)
{
	static const char mark = RECORD;

	take_lock();
	has_records = true;
	to_sink(&mark, 1);
	to_sink(bytes, size);
	to_sink("\n", 1);
	spin_unlock(&lock);
}

static void fresh_line(void)
{
	if (!at_line_start)
		to_sink("\n", 1);
}

void console_write_line(const char *bytes, size_t size)
{
	take_lock();
	fresh_line();
	plain_to_sink(bytes, size);
	at_line_start = true;
	unfinished = NULL;
	spin_unlock(&lock);
}

/* Write a piece of the stream's text: of no more than one line, where lines have a name. */
static void stream_to_sink(const struct console_stream *stream, const char *bytes, size_t size)
{
	if (size == 0)
		return;
	if (unfinished != stream) {
		fresh_line();
		if (stream->name[0] != '\0') {
			to_sink(stream->name, strlen(stream->name));
			to_sink(": ", 2);
		}
	}
	plain_to_sink(bytes, size);
	at_line_start = bytes[size - 1] == '\n';
	unfinished = at_line_start ? NULL : stream;
}

/* What is new in the line that is kept; all of it, if somebody has come between. */
static void write_kept(struct console_stream *stream)
{
	unsigned from = unfinished == stream ? stream->shown : 0;

	if (stream->kept > stream->shown)
		stream_to_sink(stream, stream->line + from, stream->kept - from);
	__atomic_store_n(&stream->shown, stream->kept, __ATOMIC_RELAXED);
}

static void forget_kept(struct console_stream *stream)
{
	__atomic_store_n(&stream->kept, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&stream->shown, 0, __ATOMIC_RELAXED);
}

/* Lines are written as they become complete, or fill the room there is. */
static void keep(struct console_stream *stream, const char *bytes, size_t size)
{
	while (size > 0) {
		const char *end = memchr(bytes, '\n', size);
		size_t part = min_u64(end ? (size_t)(end - bytes) + 1 : size, CONSOLE_LINE_ROOM - stream->kept);

		memcpy(stream->line + stream->kept, bytes, part);
		__atomic_store_n(&stream->kept, stream->kept + (unsigned)part, __ATOMIC_RELAXED);
		bytes += part;
		size -= part;
		if (stream->line[stream->kept - 1] == '\n' || stream->kept == CONSOLE_LINE_ROOM) {
			write_kept(stream);
			forget_kept(stream);
		}
	}
}

static void remember(struct console_stream *stream, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		stream->last[stream->came++ % CONSOLE_LAST_ROOM] = bytes[i];
}

size_t console_stream_last(const struct console_stream *stream, char *to)
{
	const char *end;
	size_t size;
	bool whole;

	take_lock();
	size = min_u64(stream->came, CONSOLE_LAST_ROOM);
	for (size_t i = 0; i < size; i++)
		to[i] = stream->last[(stream->came - size + i) % CONSOLE_LAST_ROOM];
	whole = stream->came == size;
	spin_unlock(&lock);
	end = whole ? NULL : memchr(to, '\n', size);
	if (!end)
		return size;
	size -= (size_t)(end + 1 - to);
	memmove(to, end + 1, size);
	return size;
}

/* What comes now, and begins with `c`, goes on with a line that somebody else's has ended on the console. Is that all there is of
 * it? */
static bool is_late_end(struct console_stream *stream, char c)
{
	bool ends_line = stream->ends_line;

	stream->ends_line = false;
	return ends_line && c == '\n' && unfinished != stream;
}

void console_stream_write(struct console_stream *stream, const char *bytes, size_t size)
{
	take_lock();
	remember(stream, bytes, size);
	if (size > 0 && is_late_end(stream, *bytes))
		keep(stream, bytes + 1, size - 1);
	else if (stream->by_line)
		keep(stream, bytes, size);
	else
		stream_to_sink(stream, bytes, size);
	spin_unlock(&lock);
	if (stream->printed)
		stream->printed(stream, bytes, size);
}

void console_stream_fork(struct console_stream *child, struct console_stream *parent)
{
	take_lock();
	memcpy(child->last, parent->last, sizeof(child->last));
	child->came = parent->came;
	child->ends_line = parent->came > 0 && parent->last[(parent->came - 1) % CONSOLE_LAST_ROOM] != '\n';
	if (!parent->by_line)
		parent->ends_line = child->ends_line;
	parent->by_line = true;
	child->by_line = true;
	spin_unlock(&lock);
}

void console_stream_flush(struct console_stream *stream)
{
	if (__atomic_load_n(&stream->kept, __ATOMIC_RELAXED) == __atomic_load_n(&stream->shown, __ATOMIC_RELAXED))
		return;
	take_lock();
	write_kept(stream);
	spin_unlock(&lock);
}

void console_stream_end(struct console_stream *stream)
{
	take_lock();
	write_kept(stream);
	forget_kept(stream);
	if (unfinished == stream)
		unfinished = NULL;
	spin_unlock(&lock);
}

bool console_at_line_start(void)
{
	return __atomic_load_n(&at_line_start, __ATOMIC_RELAXED);
}
