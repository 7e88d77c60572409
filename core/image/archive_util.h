/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libarchive in this house's manners: errors and scope cleanup. */
#ifndef IMAGE_ARCHIVE_UTIL_H
#define IMAGE_ARCHIVE_UTIL_H

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>

static inline void archive_reader_free(struct archive **archive)
{
    (void)archive_read_free(*archive); /* NULL is fine */
}

static inline void archive_writer_free(struct archive **archive)
{
    (void)archive_write_free(*archive);
}

static inline void archive_entry_drop(struct archive_entry **entry)
{
    archive_entry_free(*entry);
}

/* Sets `err` to the text followed by libarchive's reason. A full disk stays BANGER_EFULL; what is
 * no errno of the system's is taken for bad input. Returns -1. */
int archive_fail(struct archive *archive, banger_error *err, const char *format, ...)
    BANGER_PRINTF(3, 4);

#endif
