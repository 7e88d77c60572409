/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strings. Memory exhaustion is not an error that this program handles: xmalloc and what is built
 * on it log and abort, as the kernel's OOM killer would a moment later; the journal makes that
 * safe.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <banger/abi.h>
#include <stdarg.h>
#include <stdbool.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *pointer, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *str_format(const char *format, ...) BANGER_PRINTF(1, 2)
    __attribute__((malloc, returns_nonnull));
char *str_vformat(const char *format, va_list args) BANGER_PRINTF(1, 0);

static inline const char *str_or(const char *text, const char *fallback)
{
    return text != NULL ? text : fallback;
}

bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* The candidate nearest to `word` by edit distance, when near enough to be what was meant; or NULL.
 * `candidates` has `count` entries; NULL entries are passed over. */
const char *str_nearest(const char *word, const char *const *candidates, size_t count);

/* A growable byte buffer; always NUL-terminated behind `length` once it has data. */
struct buf {
    char *data;
    size_t length;
    size_t capacity;
};

#define BUF_INIT ((struct buf){0})

void buf_free(struct buf *buf);
void buf_reserve(struct buf *buf, size_t more);
void buf_append(struct buf *buf, const void *data, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) BANGER_PRINTF(2, 3);
void buf_consume(struct buf *buf, size_t length); /* drops bytes from the front */
char *buf_steal(struct buf *buf);                 /* never NULL; the buffer is empty afterwards */

#define AUTO_BUF __attribute__((cleanup(buf_free)))

/* Copies `text` without control characters (C0, DEL, C1) and escape sequences (ECMA-48), so that
 * what a guest sent cannot drive the terminal. Newlines and tabs stay; bytes that are no UTF-8
 * become '?'. Returns a new string. */
char *str_printable(const char *text, size_t length);
/* Makes one line of UTF-8 of it, in place and of the same length: control characters become spaces,
 * bytes that are no UTF-8 '?'. An incomplete character at the end, where a buffer cut it, goes. */
void str_make_line(char *text);

#endif
