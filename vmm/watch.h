/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody who watches a VM is shown. */
#ifndef NESTLING_VMM_WATCH_H
#define NESTLING_VMM_WATCH_H

#include "vmm/vm.h"

/* Does somebody watch a VM with these options? For vm->watched. */
bool vm_is_watched(const struct vm_options *options);

/* vm_serve_exit of a watched VM. */
void vm_watch(struct vcpu *vcpu, struct vm_exit *exit);

#endif
