/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two lines: a comment by which a reader knows whose the second is, and `Include PATH`. They come
 * first, since an Include below a `Host` line counts for that host only, and they end as the file's
 * first line does, since editors ask when the ends of lines differ.
 */
#include "ssh_include.h"

#include "base/cleanup.h"
#include "cli/ssh.h"

#include <string.h>

#define MARKER "# The next line is banger's: 'banger ssh-config --uninstall' removes it."
#define MARKER_MADE                                                                                \
    "# The next line is banger's: 'banger ssh-config --uninstall' removes this file."

struct line {
    const char *start;
    size_t length; /* without its end */
    size_t whole;  /* with it */
};

/* The line at `at`; its end is \n, \r\n or the text's. */
static struct line line_at(const struct buf *text, size_t at)
{
    struct line line = {.start = text->data + at};
    const char *end = memchr(line.start, '\n', text->length - at);
    line.length = end != NULL ? (size_t)(end - line.start) : text->length - at;
    line.whole = line.length + (end != NULL ? 1 : 0);
    if (line.length > 0 && line.start[line.length - 1] == '\r') {
        line.length--;
    }
    return line;
}

static bool line_is(const struct line *line, const char *text)
{
    return line->length == strlen(text) && memcmp(line->start, text, line->length) == 0;
}

static char *include_line(const char *path)
{
    AUTO_FREE char *word = ssh_config_word(path, false);
    return str_format("Include %s", word);
}

bool ssh_include_is_in(const struct buf *text, const char *path)
{
    AUTO_FREE char *wanted = include_line(path);
    for (size_t at = 0; at < text->length;) {
        struct line line = line_at(text, at);
        if (line_is(&line, wanted)) {
            return true;
        }
        at += line.whole;
    }
    return false;
}

void ssh_include_add(const struct buf *text, const char *path, bool made, struct buf *out)
{
    AUTO_FREE char *include = include_line(path);
    struct line first = {0};
    if (text->length > 0) {
        first = line_at(text, 0);
    }
    const char *end = first.whole - first.length == 2 ? "\r\n" : "\n";
    buf_printf(out, "%s%s%s%s", made ? MARKER_MADE : MARKER, end, include, end);
    buf_append(out, text->data, text->length);
}

void ssh_include_remove(const struct buf *text, const char *path, bool *made, struct buf *out)
{
    AUTO_FREE char *include = include_line(path);
    *made = false;
    for (size_t at = 0; at < text->length;) {
        struct line line = line_at(text, at);
        bool marks_made = line_is(&line, MARKER_MADE);
        at += line.whole;
        if ((marks_made || line_is(&line, MARKER)) && at < text->length) {
            struct line next = line_at(text, at);
            if (line_is(&next, include)) {
                *made = *made || marks_made;
                at += next.whole;
                continue;
            }
        }
        if (!line_is(&line, include)) {
            buf_append(out, line.start, line.whole);
        }
    }
}
