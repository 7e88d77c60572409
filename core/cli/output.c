/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "output.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "cli/utf8.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

bool output_has_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && term != NULL && !str_equal(term, "dumb") &&
           isatty(fd) == 1;
}

bool output_is_read(int fd)
{
    struct pollfd state = {.fd = fd};
    return poll(&state, 1, 0) <= 0 || (state.revents & (POLLERR | POLLHUP)) == 0;
}

int output_width(int fd)
{
    struct winsize size = {0};
    if (isatty(fd) != 1) {
        return 0;
    }
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *output_style(int fd, enum output_style style)
{
    /* ECMA-48 8.3.117, SGR */
    static const char *const escapes[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",
        [STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
    };
    return output_has_colour(fd) ? escapes[style] : "";
}

void output_json(const json_t *json)
{
    AUTO_FREE char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)printf("%s\n", str_or(text, "null"));
}

void output_json_line(const json_t *json)
{
    AUTO_FREE char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)printf("%s\n", str_or(text, "null"));
    (void)fflush(stdout);
}

char *output_line(const char *text)
{
    char *line = str_printable(text, strlen(text));
    for (char *at = line; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\t') {
            *at = ' ';
        }
    }
    return line;
}

char *output_duration(int64_t ms)
{
    int64_t seconds = ms / 1000;
    if (ms < 1000) {
        return str_format("%" PRId64 "ms", ms);
    }
    if (seconds < 60) {
        return str_format("%" PRId64 ".%" PRId64 "s", seconds, ms % 1000 / 100);
    }
    if (seconds < 3600) {
        return str_format("%" PRId64 "m %" PRId64 "s", seconds / 60, seconds % 60);
    }
    if (seconds < 86400) {
        return str_format("%" PRId64 "h %" PRId64 "m", seconds / 3600, seconds / 60 % 60);
    }
    return str_format("%" PRId64 "d %" PRId64 "h", seconds / 86400, seconds / 3600 % 24);
}

char *output_nanoseconds(int64_t ns)
{
    if (ns < 1000) {
        return str_format("%" PRId64 "ns", ns);
    }
    if (ns < 1000000) {
        return str_format("%.1fus", (double)ns / 1e3);
    }
    return ns < 1000000000 ? str_format("%.1fms", (double)ns / 1e6) : output_duration(ns / 1000000);
}

char *output_size(int64_t bytes)
{
    char text[16];
    size_format(bytes, text);
    return xstrdup(text);
}

void output_field(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        AUTO_FREE char *line = output_line(value);
        (void)printf("%s%-12s%s %s\n", output_style(STDOUT_FILENO, STYLE_DIM), name,
                     output_style(STDOUT_FILENO, STYLE_PLAIN), line);
    }
}

/* -- Messages on stderr -------------------------------------------------------------------------
 */

static void error_as_json(const banger_error *err)
{
    AUTO_JSON json_t *json = json_object();
    json_t *error = json_object();
    (void)json_object_set_new(error, "code", json_integer(err->code));
    (void)json_object_set_new(error, "name", json_string(error_code_name(err->code)));
    (void)json_object_set_new(error, "message", utf8_json(err->message, strlen(err->message)));
    if (err->hint[0] != '\0') {
        (void)json_object_set_new(error, "hint", utf8_json(err->hint, strlen(err->hint)));
    }
    (void)json_object_set_new(json, "error", error);
    AUTO_FREE char *text = json_dumps(json, JSON_COMPACT);
    (void)fprintf(stderr, "%s\n", str_or(text, "{}"));
}

static void message(const char *label, enum output_style style, const char *text)
{
    /* An error may quote a guest's console over several lines: they stay lines. */
    AUTO_FREE char *shown = str_printable(text, strlen(text));
    (void)fprintf(stderr, "%s%s:%s %s\n", output_style(STDERR_FILENO, style), label,
                  output_style(STDERR_FILENO, STYLE_PLAIN), shown);
}

void output_error(const banger_error *err, bool json)
{
    (void)fflush(stdout); /* so that what came before stands before it */
    if (json) {
        error_as_json(err);
        return;
    }
    message("error", STYLE_RED, err->message);
    if (err->hint[0] != '\0') {
        message("hint", STYLE_YELLOW, err->hint);
    }
}

void output_note(const char *text)
{
    AUTO_FREE char *shown = str_printable(text, strlen(text));
    (void)fprintf(stderr, "%s\n", shown);
}

void output_warning(const char *text, bool json)
{
    if (!json) {
        message("warning", STYLE_YELLOW, text);
        return;
    }
    AUTO_JSON json_t *object = json_object();
    (void)json_object_set_new(object, "warning", utf8_json(text, strlen(text)));
    AUTO_FREE char *line = json_dumps(object, JSON_COMPACT);
    (void)fprintf(stderr, "%s\n", str_or(line, "{}"));
}
