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

/* Optimal string alignment: insertions, deletions, changes, and swaps of neighbours ("wbe", "web").
 * Three rows of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++) {
        rows[0][j] = j;
    }
    size_t i = 1;
    for (; a[i - 1] != '\0'; i++) {
        size_t *row = rows[i % 3];
        const size_t *last = rows[(i - 1) % 3];
        const size_t *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smallest(last[j] + 1, row[j - 1] + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
    }
    return rows[(i - 1) % 3][columns];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > NEAREST_MAX) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = (length + 2) / 3 + 1; /* one slip in three letters, two in four */
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
    if (more > PTRDIFF_MAX / 2 - buf->length) {
        (void)or_abort(NULL); /* no machine has it */
    }
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
    length = length < buf->length ? length : buf->length;
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

/* Length of the escape sequence at `text`, which starts with ESC; ECMA-48, 5.3 to 5.6. What breaks
 * the grammar ends it, so that a lone ESC swallows nothing. */
static size_t escape_length(const char *text, size_t length)
{
    size_t at = 1;
    if (at < length && strchr("]PX^_", text[at]) != NULL && text[at] != '\0') {
        /* A control string: up to BEL or ST; a line's end ends it too. */
        for (at++; at < length && text[at] != '\n'; at++) {
            if (text[at] == '\a') {
                return at + 1;
            }
            if (text[at] == 0x1b) {
                return at + (at + 1 < length && text[at + 1] == '\\' ? 2 : 0);
            }
        }
        return at;
    }
    bool control_sequence = at < length && text[at] == '[';
    at += control_sequence;
    while (at < length && text[at] >= 0x20 && text[at] <= (control_sequence ? 0x3f : 0x2f)) {
        at++;
    }
    return at + (at < length && text[at] >= 0x30 && text[at] <= 0x7e);
}

/* Length of the UTF-8 character at `text` (RFC 3629), 0 when there is none. */
static size_t character_length(const char *text, size_t length)
{
    const unsigned char *c = (const unsigned char *)text;
    static const struct {
        unsigned char low, high;     /* of the first byte */
        unsigned char second, limit; /* of the second: no long forms, surrogates, above U+10FFFF */
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (c[0] < forms[i].low || c[0] > forms[i].high) {
            continue;
        }
        bool whole = forms[i].length <= length;
        for (size_t k = 1; whole && k < forms[i].length; k++) {
            whole = k == 1 ? c[k] >= forms[i].second && c[k] <= forms[i].limit
                           : c[k] >= 0x80 && c[k] <= 0xbf;
        }
        return whole ? forms[i].length : 0;
    }
    return 0;
}

/* C0, DEL, or C1 (U+0080 to U+009F: c2 80 to c2 9f). */
static bool is_control(const char *text, size_t length)
{
    unsigned char c = (unsigned char)text[0];
    return c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && (unsigned char)text[1] < 0xa0);
}

char *str_printable(const char *text, size_t length)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < length;) {
        if (text[i] == 0x1b) {
            i += escape_length(text + i, length - i);
            continue;
        }
        size_t whole = character_length(text + i, length - i);
        if (whole == 0) {
            buf_append(&out, "?", 1);
        } else if (text[i] == '\n' || text[i] == '\t' || !is_control(text + i, whole)) {
            buf_append(&out, text + i, whole);
        }
        i += whole != 0 ? whole : 1;
    }
    return buf_steal(&out);
}

/* Whether the text ends before the character that its first byte announces. */
static bool is_cut(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
    size_t have = 1;
    while (have < wanted && ((unsigned char)text[have] & 0xc0) == 0x80) {
        have++;
    }
    return have < wanted && text[have] == '\0';
}

void str_make_line(char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length;) {
        size_t whole = character_length(text + i, length - i);
        if (whole == 0 && is_cut(text + i)) {
            text[i] = '\0';
            return;
        }
        if (whole == 0) {
            text[i] = '?';
        } else if (is_control(text + i, whole)) {
            memset(text + i, ' ', whole);
        }
        i += whole != 0 ? whole : 1;
    }
}
