/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process's own log: one line a record on stderr, `LEVEL message`, with the time in UTC unless
 * a journal adds its own (JOURNAL_STREAM is set). Safe from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <banger/host.h>

void log_set_level(enum banger_log_level level); /* default: BANGER_LOG_INFO */
int log_parse_level(const char *name); /* "error" "warn" "info" "debug"; -1: none of them */
void log_write(enum banger_log_level level, const char *format, ...) BANGER_PRINTF(2, 3);

#define log_error(...) log_write(BANGER_LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(BANGER_LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(BANGER_LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(BANGER_LOG_DEBUG, __VA_ARGS__)

#endif
