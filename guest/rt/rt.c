/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime of guest programs, the part that is alike on every ISA. */
#include "guest/rt/rt.h"

struct rt_ranges rt_ram, rt_fresh;

/* --- Start, end, hypervisor --------------------------------------------------------------------------------------- */

struct rt_line rt_first_line;
struct rt_line *(*rt_line_own)(void);
bool rt_several;

static struct rt_line *own_line(void)
{
	return rt_line_own ? rt_line_own() : &rt_first_line;
}

unsigned rt_cpu_id(void)
{
	return rt_several ? rt_arch_cpu_id() : 0;
}

/* A line is one call, and so it is not mixed with another vCPU's. */
void rt_flush_line(void)
{
	struct rt_line *line = own_line();
	size_t done = 0;

	while (done < line->used) {
		uint64_t n = rt_hypercall(RT_CALL_CONSOLE_WRITE, (uintptr_t)line->bytes + done, line->used - done, 0, 0);

		if (n == 0 || n > line->used - done)
			break; /* refused: there is nowhere to say so */
		done += n;
	}
	line->used = 0;
}

void rt_start(uintptr_t boot_data)
{
	rt_arch_init(boot_data);
	rt_reserve((uintptr_t)rt_image_start, (uintptr_t)rt_image_end);
	rt_exit((uint64_t)guest_main());
}

/* The C library's buffers, where a guest has it: guest/rt/libc_io.c. */
__attribute__((weak)) void rt_flush_stdio(void)
{
}

void rt_exit(uint64_t status)
{
	rt_flush_stdio();
	rt_flush_line();
	rt_hypercall(RT_CALL_EXIT, status, 0, 0, 0);
	for (;;)
		rt_wait();
}

uint64_t rt_memory_info(enum rt_memory what)
{
	return rt_hypercall(RT_CALL_MEMORY_INFO, (uint64_t)what, 0, 0, 0);
}

void rt_yield(void)
{
	rt_hypercall(RT_CALL_YIELD, 0, 0, 0, 0);
}

uint64_t rt_vm_wait(uint64_t number)
{
	return rt_hypercall(RT_CALL_VM_WAIT, number, 0, 0, 0);
}

uint64_t rt_fork(void)
{
	return rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
}

bool rt_is_error(uint64_t result)
{
	return (int64_t)result < 0;
}

/* --- RAM ---------------------------------------------------------------------------------------------------------- */

static void range_add(struct rt_ranges *ranges, uint64_t start, uint64_t end)
{
	size_t i;

	if (start >= end || ranges->count == RT_RAM_RANGES)
		return;
	for (i = ranges->count++; i > 0 && ranges->range[i - 1].start > start; i--)
		ranges->range[i] = ranges->range[i - 1];
	ranges->range[i] = (struct rt_range){ start, end - start };
}

static void range_cut(struct rt_ranges *ranges, uint64_t start, uint64_t end)
{
	struct rt_ranges old = *ranges;

	ranges->count = 0;
	for (size_t i = 0; i < old.count; i++) {
		uint64_t from = old.range[i].start, to = from + old.range[i].size;

		range_add(ranges, from, to < start ? to : start);
		range_add(ranges, from > end ? from : end, to);
	}
}

void rt_add_ram(uint64_t start, uint64_t size)
{
	const uint64_t mask = RT_PAGE_SIZE - 1;

	range_add(&rt_ram, start, start + size);
	range_add(&rt_fresh, (start + mask) & ~mask, (start + size) & ~mask);
}

void rt_reserve(uint64_t start, uint64_t end)
{
	const uint64_t mask = RT_PAGE_SIZE - 1;

	range_cut(&rt_fresh, start & ~mask, (end + mask) & ~mask);
}

/* --- Output ------------------------------------------------------------------------------------------------------- */

static void put(char c)
{
	struct rt_line *line = own_line();

	line->bytes[line->used++] = c;
	if (c == '\n' || line->used == sizeof(line->bytes))
		rt_flush_line();
}

void rt_write(const char *bytes, size_t size)
{
	while (size--)
		put(*bytes++);
}

struct format {
	size_t width;
	bool left, zero;
	unsigned longs;
};

static void put_padded(const struct format *f, const char *text, size_t size)
{
	size_t pad = f->width > size ? f->width - size : 0;

	for (size_t i = 0; i < pad && !f->left; i++)
		put(f->zero ? '0' : ' ');
	rt_write(text, size);
	for (size_t i = 0; i < pad && f->left; i++)
		put(' ');
}

static void put_number(const struct format *f, uint64_t value, unsigned base, bool negative)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		digits[--at] = '-';
	put_padded(f, digits + at, sizeof(digits) - at);
}

/* Everything between '%' and the conversion letter; returns where that letter is. */
static const char *parse_format(const char *at, struct format *f)
{
	*f = (struct format){ 0 };
	for (; *at == '-' || *at == '0'; at++)
		*(*at == '-' ? &f->left : &f->zero) = true;
	for (; *at >= '0' && *at <= '9'; at++)
		f->width = f->width * 10 + (size_t)(*at - '0');
	for (; *at == 'l' || *at == 'z'; at++)
		f->longs++;
	return at;
}

void rt_vprintf(const char *fmt, va_list ap)
{
	struct format f;
	const char *text;
	int64_t number;
	char c;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		fmt = parse_format(fmt + 1, &f);
		switch (*fmt) {
		case 's':
			text = va_arg(ap, const char *);
			put_padded(&f, text, strlen(text));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_padded(&f, &c, 1);
			break;
		case 'd':
			number = f.longs ? va_arg(ap, long) : va_arg(ap, int);
			put_number(&f, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, number < 0);
			break;
		case 'u':
		case 'x':
			put_number(&f, f.longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned), *fmt == 'u' ? 10 : 16, false);
			break;
		case 'p':
			put_number(&f, (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		case '\0':
			fmt--;
			break;
		default:
			put(*fmt);
		}
	}
}

void rt_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rt_vprintf(fmt, ap);
	va_end(ap);
}

struct rt_text rt_size_text(uint64_t bytes)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB" };
	struct rt_text out;
	uint64_t whole = bytes, tenth = 0;
	unsigned unit = 0;
	size_t at = sizeof(out.text);

	for (; whole >= 1024 && unit + 1 < sizeof(units) / sizeof(*units); unit++) {
		tenth = (whole % 1024) * 10 / 1024;
		whole /= 1024;
	}
	out.text[--at] = '\0';
	for (size_t i = strlen(units[unit]); i > 0; i--)
		out.text[--at] = units[unit][i - 1];
	out.text[--at] = ' ';
	if (tenth && whole < 100) {
		out.text[--at] = (char)('0' + tenth);
		out.text[--at] = '.';
	}
	do {
		out.text[--at] = (char)('0' + whole % 10);
		whole /= 10;
	} while (whole);
	memmove(out.text, out.text + at, sizeof(out.text) - at);
	return out;
}

/* --- What the compiler takes for granted -------------------------------------------------------------------------- */

/* The compiler knows these loops and would put a call of the function itself in their place. */
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))

NO_IDIOM void *memset(void *to, int byte, size_t size)
{
	char *t = to;

	while (size--)
		*t++ = (char)byte;
	return to;
}

NO_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	char *t = to;
	const char *f = from;

	while (size--)
		*t++ = *f++;
	return to;
}

NO_IDIOM void *memmove(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size--; x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

NO_IDIOM size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}
