/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that the firmware has read, as guest memory. */
#include "vmm/guest_file.h"

#include "mm/frame.h"

static hpa_t file_hpa(const struct guest_image *file, uint64_t offset)
{
	return HPA((uintptr_t)file->bytes - frame_phys_to_virt + offset);
}

static bool bit_is_set(const uint8_t *bits, uint64_t n)
{
	return bits[n / 8] >> n % 8 & 1;
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

static enum err load(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa)
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

uint64_t guest_file_run(const struct guest_image *file, uint64_t offset, uint64_t size, bool *hole)
{
	uint64_t end = offset + size, page = offset / PAGE_SIZE;

	*hole = file->holes && bit_is_set(file->holes, page);
	while (file->holes && page * PAGE_SIZE < end && bit_is_set(file->holes, page) == *hole)
		page++;
	return file->holes ? min_u64(page * PAGE_SIZE, end) - offset : size;
}

enum err guest_file_load(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa)
{
	enum err err = ERR_OK;
	bool hole;

	for (uint64_t done = 0, run; done < size && err == ERR_OK; done += run) {
		run = guest_file_run(file, offset + done, size - done, &hole);
		if (!hole)
			err = load(vm, file, offset + done, run, GPA(gpa.raw + done));
	}
	return err;
}

enum err guest_file_map(struct vm *vm, const struct guest_image *file, uint64_t size, gpa_t gpa)
{
	return file->frames ? map(vm, file, 0, size, gpa) : copy(vm, file, 0, min_u64(size, file->size), gpa);
}

static bool file_has(const struct guest_image *file, hpa_t hpa)
{
	uint64_t offset = file ? hpa.raw - file_hpa(file, 0).raw : 0;
	bool hole = true;

	if (!file)
		return false;
	if (file->frames && offset < align_up(file->size, PAGE_SIZE))
		guest_file_run(file, align_down(offset, PAGE_SIZE), 1, &hole);
	return !hole || file_has(file->unpacked, hpa);
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
