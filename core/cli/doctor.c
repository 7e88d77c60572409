/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/checks.h"
#include "cli/handlers.h"
#include "cli/output.h"

#include <stdio.h>

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
        checks_print(checks);
        print_providers(json_object_get(report, "providers"));
    }
    return checks_have_failure(checks) ? EXIT_FAILED : EXIT_DONE;
}
