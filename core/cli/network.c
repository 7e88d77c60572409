/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"

#include <stdio.h>

/* "web 172.16.0.2/24, db 172.16.0.3/24"; new. */
static char *users_text(const json_t *users)
{
    struct buf out = BUF_INIT;
    size_t i = 0;
    json_t *user = NULL;
    json_array_foreach (users, i, user) {
        const char *address = json_get_string(user, "address", NULL);
        buf_printf(&out, "%s%s%s%s", i > 0 ? ", " : "", json_get_string(user, "name", "?"),
                   address != NULL ? " " : "", str_or(address, ""));
    }
    return buf_steal(&out);
}

int network_list(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *networks = cli_call(cli, "network.list", NULL, err);
    if (networks == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(networks);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"NAME", "WORKS", "HOST", "VMS"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *network = NULL;
    json_array_foreach (networks, i, network) {
        AUTO_FREE char *users = users_text(json_object_get(network, "vms"));
        const char *name = json_get_string(network, "name", "?");
        table_add(table,
                  (const char *const[]){name, json_get_bool(network, "works", false) ? "yes" : "no",
                                        json_get_string(network, "text", NULL), users});
        if (cli->quiet) {
            (void)printf("%s\n", name);
        }
    }
    if (!cli->quiet) {
        table_print(table);
    }
    table_free(table);
    return EXIT_DONE;
}

int network_remove(struct cli *cli, banger_error *err)
{
    const char *given = args_word(&cli->args, 0);
    AUTO_JSON json_t *answer = cli_call(
        cli, "network.remove", json_pack("{s:s}", "network", str_or(given, "bridge")), err);
    return answer != NULL ? EXIT_DONE : -1;
}
