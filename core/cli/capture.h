/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collecting what a guest's program writes, for --json: a memory file that cannot grow beyond its
 * limit, so that a guest cannot fill this machine's memory.
 */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include "base/error.h"

#include <jansson.h>

#define CAPTURE_MAX (16 * 1024 * 1024)

struct capture {
    int fd;
    const char *what;
};

int capture_open(struct capture *capture, const char *what, banger_error *err);
void capture_close(struct capture *capture);
/* Fails when the limit was reached. */
int capture_check(const struct capture *capture, banger_error *err);
/* What was written; bytes that are no UTF-8 become U+FFFD each. */
json_t *capture_text(const struct capture *capture);

#endif
