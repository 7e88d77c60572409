/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"

#include <stdio.h>

static enum output_style style_of(const char *status)
{
    if (str_equal(status, "pass")) {
        return STYLE_GREEN;
    }
    return str_equal(status, "warn") ? STYLE_YELLOW : STYLE_RED;
}

static void print_check(const json_t *check)
{
    const char *status = json_get_string(check, "status", "fail");
    AUTO_FREE char *name = output_line(json_get_string(check, "name", "?"));
    AUTO_FREE char *text = output_line(json_get_string(check, "text", ""));
    AUTO_FREE char *hint = output_line(json_get_string(check, "hint", ""));
    (void)printf("%s%-4s%s  %-20s %s\n", output_style(STDOUT_FILENO, style_of(status)), status,
                 output_style(STDOUT_FILENO, STYLE_PLAIN), name, text);
    if (hint[0] != '\0') {
        (void)printf("%28shint: %s\n", "", hint);
    }
}

static void print_providers(const json_t *providers)
{
    const char *role = NULL;
    json_t *chosen = NULL;
    (void)printf("\n'auto' chooses:\n");
    json_object_foreach ((json_t *)providers, role, chosen) {
        AUTO_FREE char *text =
            json_is_string(chosen) ? output_line(json_string_value(chosen)) : json_text(chosen);
        (void)printf("  %-10s %s\n", role, json_is_null(chosen) ? "nothing that works here" : text);
    }
}

static bool has_failure(const json_t *checks)
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

int doctor(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *report = cli_call(cli, "doctor", NULL, err);
    if (report == NULL) {
        return -1;
    }
    const json_t *checks = json_object_get(report, "checks");
    if (cli->json) {
        output_json(report);
    } else {
        size_t i = 0;
        json_t *check = NULL;
        json_array_foreach (checks, i, check) {
            print_check(check);
        }
        print_providers(json_object_get(report, "providers"));
    }
    return has_failure(checks) ? EXIT_FAILED : EXIT_DONE;
}
