/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include "cleanup.h"
#include "clock.h"
#include "str.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int threshold = BANGER_LOG_INFO;

static const char *const level_names[] = {
    [BANGER_LOG_ERROR] = "error",
    [BANGER_LOG_WARN] = "warn",
    [BANGER_LOG_INFO] = "info",
    [BANGER_LOG_DEBUG] = "debug",
};

void log_set_level(enum banger_log_level level)
{
    atomic_store(&threshold, (int)level);
}

int log_parse_level(const char *name)
{
    for (size_t i = BANGER_LOG_ERROR; i < COUNT_OF(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void log_write(enum banger_log_level level, const char *format, ...)
{
    int known = (int)level; /* a plugin may say any number */
    known = known < BANGER_LOG_ERROR ? BANGER_LOG_ERROR : known;
    known = known > BANGER_LOG_DEBUG ? BANGER_LOG_DEBUG : known;
    if (known > atomic_load(&threshold)) {
        return;
    }
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    str_make_line(text); /* what a guest sent must not look like lines of ours */

    char when[CLOCK_TEXT_MAX] = "";
    if (getenv("JOURNAL_STREAM") == NULL) {
        clock_format(clock_wall_ms(), when);
    }
    AUTO_FREE char *line =
        str_format("%s%s%-5s %s\n", when, when[0] != '\0' ? " " : "", level_names[known], text);
    /* One write, so that lines of several threads do not mix. Nothing can be done if it fails. */
    if (write(STDERR_FILENO, line, strlen(line)) < 0) {
        return;
    }
}
