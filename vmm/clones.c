/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM is cloned when it prints a certain text. */
#include "vmm/clones.h"

#include <string.h>

#include "include/log.h"
#include "vmm/fork.h"

static void clone(struct vm *vm)
{
	if (__atomic_exchange_n(&vm->cloned, 1, __ATOMIC_RELAXED))
		return;
	if (!fork_ask(vm, vm->options.clones))
		log_vm_warn(vm, "not forked: its vCPUs are being stopped for something else");
}

/* How many bytes of the start of `text` have been printed last, if it was `seen` before and `c` comes behind that. */
static unsigned seen_with(const char *text, unsigned seen, char c)
{
	for (unsigned length = seen + 1; length > 0; length--)
		if (text[length - 1] == c && memcmp(text, text + seen + 1 - length, length - 1) == 0)
			return length;
	return 0;
}

/* The console's `printed`. Of a text that two vCPUs print at once, in parts, nothing is known. */
static void look(struct console_stream *stream, const char *bytes, size_t size)
{
	struct vm *vm = CONTAINER_OF(stream, struct vm, console);
	const char *text = vm->options.clone_when;
	unsigned seen = __atomic_load_n(&vm->clone_seen, __ATOMIC_RELAXED);

	for (size_t i = 0; i < size && text[seen] != '\0'; i++)
		seen = seen_with(text, seen, bytes[i]);
	__atomic_store_n(&vm->clone_seen, seen, __ATOMIC_RELAXED);
	if (text[seen] == '\0')
		clone(vm);
}

void clones_end(struct vm *vm)
{
	if (vm->options.clones > 0 && vm->options.clone_when[0] != '\0' && !__atomic_load_n(&vm->cloned, __ATOMIC_RELAXED))
		log_vm_warn(vm, "not cloned: it has not printed \"%s\"", vm->options.clone_when);
}

void clones_expect(struct vm *vm)
{
	if (vm->options.clones == 0 || __atomic_load_n(&vm->cloned, __ATOMIC_RELAXED))
		return;
	if (vm->options.clone_when[0] == '\0')
		clone(vm);
	else
		vm->console.printed = look;
}
