/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "context.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdarg.h>

void context_progress(const struct image_context *context, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    context->progress(context->context, text);
}

int context_check(const struct image_context *context, banger_error *err)
{
    if (context->cancelled(context->context)) {
        return error_set(err, BANGER_ECANCELLED, "cancelled");
    }
    return 0;
}
