/* SPDX-License-Identifier: BSD-2-Clause */
/* The zero page and the large zero page, which are mapped read-only wherever zeros are read. */
#include "include/arch/machine.h"
#include "mm/frame_state.h"

enum err frame_zero_page(unsigned order, hpa_t *out)
{
	unsigned i = order > 0;
	enum err err;
	hpa_t block;

	if (__atomic_load_n(&frames.zero[i].block.raw, __ATOMIC_ACQUIRE) == 0) {
		/* The large zero page is optional, so it must not use the reserve; without it, callers map the zero page by 4 KiB
		 * leaves. */
		err = frame_alloc_need(order > 0 ? FRAME_CALL : FRAME_HYPERVISOR, order, 0, &block);
		if (err != ERR_OK)
			return err;
		arch_zero_pages(frame_ptr(block), PAGE_SIZE << order);
		spin_lock(&frames.lock);
		if (frames.zero[i].block.raw == 0) {
			frames.zero[i].order = order;
			__atomic_store_n(&frames.zero[i].block.raw, block.raw, __ATOMIC_RELEASE);
			frames.stats.zero += PAGE_SIZE << order;
			block.raw = 0;
		}
		spin_unlock(&frames.lock);
		if (block.raw != 0) /* another CPU was first */
			frame_free(block, order);
	}
	*out = HPA(__atomic_load_n(&frames.zero[i].block.raw, __ATOMIC_ACQUIRE));
	return ERR_OK;
}

bool frame_is_zero_page(hpa_t frame)
{
	for (size_t i = 0; i < ARRAY_LEN(frames.zero); i++) {
		uint64_t start = __atomic_load_n(&frames.zero[i].block.raw, __ATOMIC_ACQUIRE);

		if (start != 0 && frame.raw - start < PAGE_SIZE << frames.zero[i].order)
			return true;
	}
	return false;
}

uint64_t frame_zero_page_border(hpa_t frame, uint64_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(frames.zero); i++) {
		uint64_t start = __atomic_load_n(&frames.zero[i].block.raw, __ATOMIC_ACQUIRE), end;

		if (start == 0)
			continue;
		end = start + (PAGE_SIZE << frames.zero[i].order);
		if (frame.raw < start)
			size = min_u64(size, start - frame.raw);
		else if (frame.raw < end)
			size = min_u64(size, end - frame.raw);
	}
	return size;
}
