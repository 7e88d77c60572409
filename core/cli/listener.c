/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/listener.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/signals.h"

#include <stdio.h>
#include <time.h>

#define PAUSE_NS (200 * 1000000L) /* between two questions: a guest has no event to tell of */

static int listens(struct cli *cli, const char *vm, unsigned port, banger_error *err)
{
    AUTO_JSON json_t *ports = cli_call(cli, "vm.ports", json_pack("{s:s}", "vm", vm), err);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (json_object_get(ports, "listeners"), i, row) {
        if (str_starts(json_get_string(row, "proto", ""), "tcp") &&
            json_get_int(row, "port", 0) == port) {
            return 1;
        }
    }
    return ports != NULL ? 0 : -1;
}

static int64_t uptime_of(struct cli *cli, const char *vm, banger_error *err)
{
    AUTO_JSON json_t *view = cli_call(cli, "vm.show", json_pack("{s:s}", "vm", vm), err);
    return view != NULL ? json_get_int(view, "uptime_ms", INT64_MAX) : -1;
}

int listener_await(struct cli *cli, const char *vm, unsigned port, int64_t young_ms,
                   banger_error *err)
{
    bool told = false;
    while (signals_caught() == 0) {
        int found = listens(cli, vm, port, err);
        int64_t uptime = found == 0 ? uptime_of(cli, vm, err) : 0;
        if (found != 0 || uptime < 0 || uptime >= young_ms) {
            return uptime < 0 ? -1 : found;
        }
        if (!told && !cli->quiet) {
            (void)fprintf(stderr, "waiting for port %u of VM '%s', which is still starting\n", port,
                          vm);
            told = true;
        }
        const struct timespec pause = {.tv_nsec = PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    return error_set(err, BANGER_ECANCELLED, "cancelled while waiting for port %u of VM '%s'", port,
                     vm);
}
