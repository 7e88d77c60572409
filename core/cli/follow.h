/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Printing a file that a guest fills: from some line on, and further while it grows. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum follow_form {
    FOLLOW_RAW,       /* byte for byte */
    FOLLOW_PRINTABLE, /* for a terminal: what could drive it is left out */
    FOLLOW_JSON,      /* {"line":"..."} a line */
};

struct follow {
    int fd; /* borrowed */
    enum follow_form form;
    struct buf pending; /* of an unfinished line; not with FOLLOW_RAW */
};

/* Moves to the start of the last `lines` lines. */
int follow_seek(struct follow *follow, int64_t lines, banger_error *err);
/* Prints up to the end of the file. */
int follow_drain(struct follow *follow, banger_error *err);
/* Prints what comes until the process has ended (0), or a signal was caught (0 too). */
int follow_until(struct follow *follow, pid_t pid, banger_error *err);
void follow_free(struct follow *follow);

#endif
