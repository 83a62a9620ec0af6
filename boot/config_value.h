/* SPDX-License-Identifier: BSD-2-Clause */
/* The values of nestling.cfg that are numbers: sizes, times, CPUs. */
#ifndef NESTLING_BOOT_CONFIG_VALUE_H
#define NESTLING_BOOT_CONFIG_VALUE_H

#include "include/err.h"
#include "include/types.h"

/* Each takes all of `text`, and changes nothing when it fails. Errors of all: ERR_INVALID (syntax), ERR_RANGE (too large or small).
 */

/* "4096", "64K", "512M", "1G", "2T": bytes. */
MUST_CHECK enum err config_parse_size(const char *text, uint64_t *bytes);

/* A decimal number of `least` to `most`. */
MUST_CHECK enum err config_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);

/* "60", "0.5": seconds, as microseconds, of which there must be one; what is less than one is cut off. */
MUST_CHECK enum err config_parse_seconds(const char *text, uint64_t *microseconds);

/* "1", "0,2", "0-3", "0, 2-3": numbers of CPUs below CPU_MAX as bits. */
MUST_CHECK enum err config_parse_cpus(const char *text, uint64_t *set);

#endif
