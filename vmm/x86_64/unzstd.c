/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zstd's decoder, of its own source, which tools/setup fetches: the parts that unpack all at once from memory to memory, and of
 * those the small ones. But it is compiled to be fast: a kernel is some hundred million instructions. Source of the format: RFC
 * 8878.
 */
#include "vmm/x86_64/unzstd.h"

#define NDEBUG             1
#define DYNAMIC_BMI2       0
#define ZSTD_NO_INTRINSICS 1
#define ZSTDLIB_VISIBLE
#define HUF_FORCE_DECOMPRESS_X1               1
#define ZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT 1
#include "build/third-party/zstd/zstddeclib.c"

bool unzstd_is(const void *bytes, size_t size)
{
	return size >= sizeof(uint32_t) && MEM_readLE32(bytes) == ZSTD_MAGICNUMBER;
}

size_t unzstd_work_size(void)
{
	return align_up(sizeof(ZSTD_DCtx), PAGE_SIZE);
}

/* What says that the bytes are those of a file as this decoder knows them, and wrong. */
static enum err error_of(ZSTD_ErrorCode code)
{
	switch (code) {
	case ZSTD_error_no_error:
		return ERR_OK;
	case ZSTD_error_version_unsupported:
	case ZSTD_error_frameParameter_unsupported:
	case ZSTD_error_dictionary_wrong:
		return ERR_UNSUPPORTED;
	default:
		return ERR_CORRUPT;
	}
}

enum err unzstd(const void *bytes, size_t size, void *to, size_t room, void *work, size_t *unpacked)
{
	ZSTD_DCtx *context = ZSTD_initStaticDCtx(work, unzstd_work_size());

	*unpacked = ZSTD_decompressDCtx(context, to, room, bytes, size);
	return error_of(ZSTD_getErrorCode(*unpacked));
}
