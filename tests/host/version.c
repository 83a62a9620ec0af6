/* SPDX-License-Identifier: BSD-2-Clause */
/* The version's name, which the image has from its build. */
#include "include/version.h"

const char nestling_version[] = "of the tests";
