/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The per-VM initramfs: the kernel's own, with the guest configuration appended
 * (agent/guest_conf.h). */
#ifndef IMAGE_GUEST_ARCHIVE_H
#define IMAGE_GUEST_ARCHIVE_H

#include "base/error.h"

#include <jansson.h>

/* Writes `out_path`; for `guest` see guest_content.h. */
int guest_archive_write(const char *base_initramfs, const json_t *guest, const char *out_path,
                        banger_error *err);

#endif
