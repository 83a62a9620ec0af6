/* SPDX-License-Identifier: BSD-2-Clause */
/* Which version of Nestling this is: tools/version. */
#ifndef NESTLING_VERSION_H
#define NESTLING_VERSION_H

extern const char nestling_version[];

#endif
