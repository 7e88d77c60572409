/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IMAGE_EXT4_FAIL_H
#define IMAGE_EXT4_FAIL_H

#include "base/error.h"

/* Sets `err` to the text and what libext2fs' `code` (an errcode_t) means. Returns -1. */
int ext4_fail(banger_error *err, long code, const char *format, ...) BANGER_PRINTF(3, 4);

#endif
