/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that the firmware has read, as guest memory. */
#include "vmm/guest_file.h"

#include "mm/frame.h"

static hpa_t file_hpa(const struct guest_image *file, uint64_t offset)
{
	return HPA((uintptr_t)file->bytes - frame_phys_to_virt + offset);
}

static enum err copy(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa)
{
	return size > 0 ? addr_space_write(&vm->as, gpa, (const char *)file->bytes + offset, size) : ERR_OK;
}

/* Map whole pages; where there is memory already, since the guest's RAM is populated, they are copied. */
static enum err map(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa)
{
	enum err err = size > 0 ? addr_space_map_shared(&vm->as, gpa, file_hpa(file, offset), align_up(size, PAGE_SIZE)) : ERR_OK;

	return err == ERR_EXISTS ? copy(vm, file, offset, size, gpa) : err;
}

enum err guest_file_load(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa)
{
	uint64_t head = min_u64(-gpa.raw % PAGE_SIZE, size), whole = size - head;
	enum err err;

	if (!file->frames || (file_hpa(file, offset).raw - gpa.raw) % PAGE_SIZE != 0)
		return copy(vm, file, offset, size, gpa);
	if (offset + size < file->size || !vm_is_ram(vm, gpa, align_up(gpa.raw + size, PAGE_SIZE) - gpa.raw))
		whole = align_down(whole, PAGE_SIZE);
	err = copy(vm, file, offset, head, gpa);
	if (err == ERR_OK)
		err = map(vm, file, offset + head, whole, GPA(gpa.raw + head));
	if (err == ERR_OK)
		err = copy(vm, file, offset + head + whole, size - head - whole, GPA(gpa.raw + head + whole));
	return err;
}

enum err guest_file_map(struct vm *vm, const struct guest_image *file, uint64_t size, gpa_t gpa)
{
	return file->frames ? map(vm, file, 0, size, gpa) : copy(vm, file, 0, min_u64(size, file->size), gpa);
}

static bool file_has(const struct guest_image *file, hpa_t hpa)
{
	return file && file->frames && hpa.raw >= file_hpa(file, 0).raw &&
	       hpa.raw < file_hpa(file, 0).raw + align_up(file->size, PAGE_SIZE);
}

bool guest_file_has(const struct vm *vm, hpa_t hpa)
{
	for (unsigned i = 0; i < ARRAY_LEN(vm->files); i++)
		if (file_has(vm->files[i], hpa))
			return true;
	for (unsigned i = 0; i < vm->options.disks; i++)
		if (file_has(&vm->options.disk_files[i], hpa))
			return true;
	return false;
}
