/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors. Every fallible function takes a final `banger_error *err`, returns < 0 (or NULL) on
 * failure and leaves `err` alone on success. A banger_error lives on the caller's stack and owns no
 * memory. NULL is accepted for `err` where the caller does not care.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <banger/abi.h>

#define ERROR_MESSAGE_MAX 1024
#define ERROR_HINT_MAX 512

typedef struct banger_error {
    enum banger_code code;
    /* Both are UTF-8 and safe to print, whatever the arguments were: one line, no controls. */
    char message[ERROR_MESSAGE_MAX]; /* what failed and why, no full stop */
    char hint[ERROR_HINT_MAX];       /* what to do about it; empty: nothing to say */
} banger_error;

#define BANGER_ERROR_INIT ((banger_error){0})

/* Sets the error and returns -1: `return error_set(err, BANGER_EINVALID, "...")`. */
int error_set(banger_error *err, enum banger_code code, const char *format, ...)
    BANGER_PRINTF(3, 4);

/* The same for a failed system call: appends strerror(errno_value) and derives the code from it. */
int error_sys(banger_error *err, int errno_value, const char *format, ...) BANGER_PRINTF(3, 4);

/* Adds what to do. Returns -1 too. */
int error_hint(banger_error *err, const char *format, ...) BANGER_PRINTF(2, 3);

/* Puts the context before the message: "starting web: " + message. Returns -1. */
int error_prefix(banger_error *err, const char *format, ...) BANGER_PRINTF(2, 3);

/* Appends a second failure to the first ("...; also: ..."); an empty `err` becomes `other`. */
void error_join(banger_error *err, const banger_error *other);

const char *error_code_name(enum banger_code code); /* "not-found", ... never NULL */

#endif
