/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#define NAME_WIDTH 20 /* or that of the widest */

static enum output_style style_of(const char *status)
{
    if (str_equal(status, "pass")) {
        return STYLE_GREEN;
    }
    return str_equal(status, "warn") ? STYLE_YELLOW : STYLE_RED;
}

static void print_check(const json_t *check, int width)
{
    const char *status = json_get_string(check, "status", "fail");
    AUTO_FREE char *name = output_line(json_get_string(check, "name", "?"));
    AUTO_FREE char *text = output_line(json_get_string(check, "text", ""));
    AUTO_FREE char *hint = output_line(json_get_string(check, "hint", ""));
    (void)printf("%s%-4s%s  %-*s %s\n", output_style(STDOUT_FILENO, style_of(status)), status,
                 output_style(STDOUT_FILENO, STYLE_PLAIN), width, name, text);
    if (hint[0] != '\0') {
        (void)printf("%*shint: %s\n", width + 7, "", hint);
    }
}

void checks_print(const json_t *checks)
{
    size_t i = 0;
    json_t *check = NULL;
    size_t width = NAME_WIDTH;
    json_array_foreach (checks, i, check) {
        size_t length = strlen(json_get_string(check, "name", "?"));
        width = length > width ? length : width;
    }
    json_array_foreach (checks, i, check) {
        print_check(check, (int)width);
    }
}

bool checks_have_failure(const json_t *checks)
{
    size_t i = 0;
    json_t *check = NULL;
    json_array_foreach (checks, i, check) {
        if (str_equal(json_get_string(check, "status", "fail"), "fail")) {
            return true;
        }
    }
    return false;
}

void checks_add(json_t *checks, const char *status, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    (void)json_array_append_new(
        checks, json_pack("{s:s, s:s, s:s}", "name", name, "status", status, "text", text));
}

void checks_add_error(json_t *checks, const char *status, const char *name, const banger_error *err)
{
    checks_add(checks, status, name, "%s", err->message);
    if (err->hint[0] != '\0') {
        json_t *last = json_array_get(checks, json_array_size(checks) - 1);
        (void)json_object_set_new(last, "hint", json_string(err->hint));
    }
}
