/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "The Real-Mode Kernel Header" of Linux' x86 boot protocol: in a bzImage and in boot_params at the same offset. Source: Linux
 * Documentation/arch/x86/boot.rst, "Details of Header Fields"; zero-page.rst.
 */
#ifndef NESTLING_VMM_X86_64_SETUP_HEADER_H
#define NESTLING_VMM_X86_64_SETUP_HEADER_H

#include "include/types.h"

#define SETUP_HEADER_AT 0x1f1 /* in the file, and in boot_params */

struct setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize; /* of the kernel behind the setup code, in units of 16 bytes */
	uint16_t ram_size, vid_mode, root_dev, boot_flag;
	uint8_t jump, length; /* a short jump over the rest of the header */
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size, hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, pref_address;
	uint32_t init_size, handover_offset, kernel_info_offset;
} __attribute__((packed));
_Static_assert(SETUP_HEADER_AT + offsetof(struct setup_header, header) == 0x202 &&
		       SETUP_HEADER_AT + offsetof(struct setup_header, pref_address) == 0x258 &&
		       SETUP_HEADER_AT + sizeof(struct setup_header) == 0x26c,
	       "the layout of the boot protocol");

#define SETUP_BOOT_FLAG  0xaa55
#define SETUP_MAGIC      0x53726448 /* "HdrS" */
#define LOADER_UNDEFINED 0xff
#define LOADED_HIGH      BIT(0) /* loadflags */
#define XLF_KERNEL_64    BIT(0) /* xloadflags: it has a 64-bit entry */
#define XLF_ABOVE_4G     BIT(1) /* itself, what it is told of, and the initrd may lie anywhere */

#endif
