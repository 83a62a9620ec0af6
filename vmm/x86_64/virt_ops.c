/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of VMX and SVM is in force. */
#include "vmm/x86_64/virt_ops.h"

const struct virt_ops *virt;
