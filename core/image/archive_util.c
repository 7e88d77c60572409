/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive_util.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>

static enum banger_code code_of(int reason)
{
    switch (reason) {
    case ENOSPC:
    case EDQUOT:
        return BANGER_EFULL;
    case EIO:
        return BANGER_EIO;
    default:
        return BANGER_EINVALID; /* libarchive's own numbers: a damaged or unknown format */
    }
}

int archive_fail(struct archive *archive, banger_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    const char *reason = archive_error_string(archive);
    return error_set(err, code_of(archive_errno(archive)), "%s: %s", text,
                     str_or(reason, "the data is damaged"));
}
