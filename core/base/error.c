/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include "str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    [BANGER_EINVALID] = "invalid",
    [BANGER_ENOTFOUND] = "not-found",
    [BANGER_EEXISTS] = "exists",
    [BANGER_EBUSY] = "busy",
    [BANGER_ETIMEDOUT] = "timed-out",
    [BANGER_ECANCELLED] = "cancelled",
    [BANGER_EIO] = "io",
    [BANGER_EPERMISSION] = "permission",
    [BANGER_EUNSUPPORTED] = "unsupported",
    [BANGER_ECORRUPT] = "corrupt",
    [BANGER_EFULL] = "full",
    [BANGER_EGUEST] = "guest",
    [BANGER_EINTERNAL] = "internal",
};

const char *error_code_name(enum banger_code code)
{
    size_t index = (size_t)code;
    if (index >= sizeof(code_names) / sizeof(code_names[0]) || code_names[index] == NULL) {
        return "unknown";
    }
    return code_names[index];
}

static enum banger_code code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
        return BANGER_ENOTFOUND;
    case EEXIST:
        return BANGER_EEXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return BANGER_EPERMISSION;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BANGER_EFULL;
    case ETIMEDOUT:
        return BANGER_ETIMEDOUT;
    case EBUSY:
        return BANGER_EBUSY;
    default:
        return BANGER_EIO;
    }
}

int error_set(banger_error *err, enum banger_code code, const char *format, ...)
{
    if (err == NULL) {
        return -1;
    }
    char text[ERROR_MESSAGE_MAX]; /* the arguments may point into err itself */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err->code = code;
    str_make_line(text);
    memcpy(err->message, text, strlen(text) + 1);
    err->hint[0] = '\0';
    return -1;
}

/* What to do is the same wherever these happen. A caller that knows better says so afterwards. */
static const char *hint_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
        return "free some space on its file system (banger vm prune deletes VMs that do not run)";
    case EDQUOT:
        return "the quota is used up: free some space (banger vm prune deletes VMs that do not "
               "run)";
    case EROFS:
        return "its file system is mounted read-only; VMs that run are not touched";
    default:
        return "";
    }
}

int error_sys(banger_error *err, int errno_value, const char *format, ...)
{
    if (err == NULL) {
        return -1;
    }
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)error_set(err, code_of_errno(errno_value), "%s: %s", text, strerror(errno_value));
    return error_hint(err, "%s", hint_of_errno(errno_value));
}

int error_hint(banger_error *err, const char *format, ...)
{
    if (err != NULL) {
        char text[ERROR_HINT_MAX]; /* the arguments may point into err itself */
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        str_make_line(text);
        memcpy(err->hint, text, strlen(text) + 1);
    }
    return -1;
}

int error_prefix(banger_error *err, const char *format, ...)
{
    if (err != NULL) {
        char text[ERROR_MESSAGE_MAX];
        va_list args;
        va_start(args, format);
        int used = vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof(text)) {
            (void)snprintf(text + used, sizeof(text) - (size_t)used, "%s", err->message);
        }
        str_make_line(text);
        memcpy(err->message, text, strlen(text) + 1);
    }
    return -1;
}

void error_join(banger_error *err, const banger_error *other)
{
    if (err == NULL || other->code == 0) {
        return;
    }
    if (err->code == 0) {
        *err = *other;
        return;
    }
    size_t used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof(err->message) - used, "; also: %s", other->message);
    str_make_line(err->message); /* a cut may have split a character */
    if (err->hint[0] == '\0') {
        memcpy(err->hint, other->hint, sizeof(err->hint));
    }
}
