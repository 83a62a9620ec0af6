/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of nestling.cfg. */
#ifndef NESTLING_BOOT_CONFIG_KEYS_H
#define NESTLING_BOOT_CONFIG_KEYS_H

#include "boot/config.h"

/* One of the two functions says whose key it is: a VM's, or the machine's, which stands before any section. */
struct config_key {
	const char *name;
	const char *wanted; /* for people, of whose value is another one */
	enum err (*set_vm)(struct vm_options *vm, const char *value);
	enum err (*set_machine)(struct config *config, const char *value);
	bool is_text;      /* any characters: only a # behind a blank begins a comment */
	bool in_a_section; /* nowhere else */
	/* It may be given more than once in a section; this comes before the first one there. NULL: it may not. */
	void (*begin)(struct vm_options *vm);
};

#define CONFIG_KEYS 26
extern const struct config_key config_keys[CONFIG_KEYS];

#endif
