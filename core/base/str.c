/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "str.h"

#include "cleanup.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *pointer)
{
    if (pointer == NULL) {
        (void)fputs("banger: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

void *xmalloc(size_t size)
{
    return or_abort(malloc(size != 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return or_abort(calloc(count != 0 ? count : 1, size != 0 ? size : 1));
}

void *xrealloc(void *pointer, size_t size)
{
    return or_abort(realloc(pointer, size != 0 ? size : 1));
}

char *xstrdup(const char *text)
{
    return or_abort(strdup(text));
}

char *str_vformat(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    return or_abort(text);
}

char *str_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = str_vformat(format, args);
    va_end(args);
    return text;
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

#define NEAREST_MAX 64 /* longer words are nobody's misspelling */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAREST_MAX + 1];
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[columns];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > NEAREST_MAX) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = length / 3 + 2; /* two slips in a short word, more in a long one */
    for (size_t i = 0; i < count; i++) {
        if (candidates[i] == NULL || strlen(candidates[i]) > NEAREST_MAX) {
            continue;
        }
        size_t far = distance(word, candidates[i]);
        if (far < best_distance && far < length) {
            best = candidates[i];
            best_distance = far;
        }
    }
    return best;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT;
}

void buf_reserve(struct buf *buf, size_t more)
{
    size_t needed = buf->length + more + 1;
    if (needed <= buf->capacity) {
        return;
    }
    size_t capacity = buf->capacity != 0 ? buf->capacity : 64;
    while (capacity < needed) {
        capacity *= 2;
    }
    buf->data = xrealloc(buf->data, capacity);
    buf->capacity = capacity;
}

void buf_append(struct buf *buf, const void *data, size_t length)
{
    buf_reserve(buf, length);
    if (length != 0) {
        memcpy(buf->data + buf->length, data, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    buf_puts(buf, text);
}

void buf_consume(struct buf *buf, size_t length)
{
    buf->length -= length;
    if (buf->data != NULL) {
        memmove(buf->data, buf->data + length, buf->length + 1);
    }
}

char *buf_steal(struct buf *buf)
{
    buf_reserve(buf, 0);
    buf->data[buf->length] = '\0';
    char *data = buf->data;
    *buf = BUF_INIT;
    return data;
}

/* Length of the ANSI escape sequence at `text`, which starts with ESC. */
static size_t escape_length(const char *text, size_t length)
{
    if (length < 2 || (text[1] != '[' && text[1] != ']')) {
        return length < 2 ? 1 : 2;
    }
    bool osc = text[1] == ']';
    for (size_t i = 2; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (osc ? (c == 0x07 || c == '\n') : (c >= 0x40 && c <= 0x7e)) {
            return i + 1;
        }
    }
    return length;
}

char *str_printable(const char *text, size_t length)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0x1b) {
            i += escape_length(text + i, length - i);
            continue;
        }
        if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f)) {
            buf_append(&out, text + i, 1);
        }
        i++;
    }
    return buf_steal(&out);
}
