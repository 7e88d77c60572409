/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/signals.h"

#include <stdio.h>

static void print_event(struct cli *cli, const json_t *event)
{
    if (cli->json) {
        output_json_line(event);
        return;
    }
    const json_t *data = json_object_get(event, "data");
    AUTO_FREE char *data_text = json_object_size(data) > 0 ? json_text(data) : xstrdup("");
    AUTO_FREE char *text =
        str_format("%s  %-20s %s%s%s", json_get_string(event, "time", "?"),
                   json_get_string(event, "type", "?"), json_get_string(event, "name", "-"),
                   data_text[0] != '\0' ? "  " : "", data_text);
    AUTO_FREE char *line = output_line(text);
    (void)printf("%s\n", line);
    (void)fflush(stdout);
}

int events(struct cli *cli, banger_error *err)
{
    bool follow = args_has(&cli->args, "follow");
    json_t *params = json_pack("{s:b}", "follow", follow);
    const char *after = args_text(&cli->args, "after");
    if (after != NULL) {
        (void)json_object_set_new(params, "after", json_integer(value_number(after)));
    }
    AUTO_JSON json_t *result = cli_call_events(cli, "events.subscribe", params, print_event, err);
    if (result == NULL && follow && err->code == BANGER_ECANCELLED) {
        return EXIT_DONE; /* Ctrl-C, or a reader that had enough: the ordinary ways out */
    }
    return result != NULL ? EXIT_DONE : -1;
}
