/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user sees: tables, JSON, errors. Text that may come from a guest is made printable. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define OUTPUT_COLUMNS_MAX 12

enum output_style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
};

/* Whether escapes are fit for the descriptor: a terminal, no NO_COLOR (no-color.org), not dumb. */
bool output_has_colour(int fd);
bool output_is_read(int fd); /* false: a pipe or socket whose reader has gone */
int output_width(int fd);    /* of its terminal; 0 when it is none */
/* The escape for a style on that descriptor, or "". */
const char *output_style(int fd, enum output_style style);

void output_json(const json_t *json);      /* indented, on stdout */
void output_json_line(const json_t *json); /* one line, flushed, for streams of objects */

/* Columns as wide as their widest cell; on a terminal the last one is cut to fit. */
struct table;
struct table *table_new(size_t columns, const char *const *titles);
void table_free(struct table *table);
void table_add(struct table *table, const char *const *cells); /* copied; NULL: "-" */
void table_print(const struct table *table);

/* "name:  value" lines, aligned by the caller's width; nothing when the value is NULL or empty. */
void output_field(const char *name, const char *value);

char *output_duration(int64_t ms); /* "850ms", "12.3s", "3m 4s", "2h 5m", "3d 4h"; new */
char *
output_nanoseconds(int64_t ns);   /* "640ns", "12.5us", "3.4ms", from a second on as above; new */
char *output_size(int64_t bytes); /* new */
char *output_line(const char *text); /* printable and on one line; new */

/* `error: ...` and `hint: ...`, or as JSON, on stderr. */
void output_error(const banger_error *err, bool json);
void output_note(const char *text); /* a plain line on stderr */
void output_warning(const char *text, bool json);

#endif
