/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include "base/json.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/recording.h"
#include "cli/signals.h"

#include <string.h>
#include <unistd.h>

struct call {
    struct cli *cli;
    struct progress progress;
    void (*event)(struct cli *cli, const json_t *event);
};

static void on_notify(void *context, const char *method, const json_t *params)
{
    struct call *call = context;
    if (strcmp(method, "progress") == 0) {
        progress_report(&call->progress, params);
    } else if (strcmp(method, "warning") == 0) {
        progress_clear(&call->progress);
        output_warning(json_get_string(params, "text", ""), call->cli->json);
    } else if (strcmp(method, "record") == 0) {
        recording_add(call->cli, json_object_get(params, "entry"));
    } else if (strcmp(method, "event") == 0 && call->event != NULL) {
        call->event(call->cli, json_object_get(params, "event"));
    }
}

static bool on_wait(void *context)
{
    struct call *call = context;
    if (signals_caught() != 0 && !call->cli->finishing) {
        progress_say_cancelling(&call->progress);
        return true;
    }
    progress_tick(&call->progress);
    /* Nothing may ever happen that would make us find out by writing. */
    return call->event != NULL && !output_is_read(STDOUT_FILENO);
}

static json_t *call_run(struct call *call, const char *method, json_t *params, int *fd,
                        banger_error *err)
{
    struct cli *cli = call->cli;
    if (cli->client == NULL) {
        cli->client = connect_daemon(err);
    }
    if (cli->client == NULL) {
        json_decref(params);
        return NULL;
    }
    /* A stream of events is not a piece of work that has progress. */
    progress_begin(&call->progress, !cli->json && !cli->quiet && call->event == NULL);
    struct rpc_call request = {
        .method = method,
        .params = params,
        .notify = on_notify,
        .cancelled = on_wait,
        .context = call,
        .fd = fd,
    };
    json_t *result = rpc_client_call(cli->client, &request, err);
    progress_end(&call->progress, result != NULL);
    return result;
}

json_t *cli_call(struct cli *cli, const char *method, json_t *params, banger_error *err)
{
    struct call call = {.cli = cli};
    return call_run(&call, method, params, NULL, err);
}

json_t *cli_call_fd(struct cli *cli, const char *method, json_t *params, int *fd, banger_error *err)
{
    struct call call = {.cli = cli};
    *fd = -1;
    json_t *result = call_run(&call, method, params, fd, err);
    if (result != NULL && *fd < 0) {
        json_decref(result);
        (void)error_set(err, BANGER_EINTERNAL, "the daemon answered %s without a descriptor",
                        method);
        return NULL;
    }
    return result;
}

json_t *cli_call_events(struct cli *cli, const char *method, json_t *params,
                        void (*event)(struct cli *cli, const json_t *event), banger_error *err)
{
    struct call call = {.cli = cli, .event = event};
    return call_run(&call, method, params, NULL, err);
}

json_t *cli_params(const struct cli *cli, const char *name)
{
    return json_pack("{s:s}", name, args_word(&cli->args, 0));
}
