/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/follow.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/signals.h"

#include <stdio.h>

#define OPS_MAX 1000 /* as many as are kept: store/oplog.h */

/* -- --ops --------------------------------------------------------------------------------------
 */

static void print_stage(const json_t *stage)
{
    AUTO_FREE char *name = output_line(json_get_string(stage, "name", "?"));
    AUTO_FREE char *error = output_line(json_get_string(stage, "error", ""));
    double took_ms = (double)json_get_int(stage, "took_us", 0) / 1000;
    (void)printf("    %-24s %8.1f ms  %s%s%s\n", name, took_ms,
                 json_get_string(stage, "outcome", ""), error[0] != '\0' ? ": " : "", error);
}

static void print_operation(const json_t *operation)
{
    const char *error = json_get_string(operation, "error", NULL);
    int64_t took_ms = json_get_int(operation, "took_ms", -1);
    AUTO_FREE char *took = took_ms >= 0 ? output_duration(took_ms) : xstrdup("");
    (void)printf("%s  %s %s  %s\n", json_get_string(operation, "started", "?"),
                 json_get_string(operation, "kind", "?"),
                 json_get_string(operation, "outcome", "?"), took);
    if (error != NULL) {
        AUTO_FREE char *line = output_line(error);
        (void)printf("    error: %s\n", line);
    }
    size_t i = 0;
    json_t *stage = NULL;
    json_array_foreach (json_object_get(operation, "stages"), i, stage) {
        print_stage(stage);
    }
}

static int print_operations(struct cli *cli, banger_error *err)
{
    const char *lines = args_text(&cli->args, "lines");
    int64_t limit = lines != NULL ? value_number(lines) : OPS_MAX;
    json_t *params = cli_params(cli, "vm");
    (void)json_object_set_new(params, "limit", json_integer(limit < OPS_MAX ? limit : OPS_MAX));
    AUTO_JSON json_t *operations = cli_call(cli, "ops.list", params, err);
    if (operations == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(operations);
        return EXIT_DONE;
    }
    size_t i = 0;
    json_t *operation = NULL;
    json_array_foreach (operations, i, operation) {
        print_operation(operation);
    }
    return EXIT_DONE;
}

/* -- The logs -----------------------------------------------------------------------------------
 */

static int print_log(struct cli *cli, int fd, pid_t pid, banger_error *err)
{
    enum follow_form form = isatty(STDOUT_FILENO) == 1 ? FOLLOW_PRINTABLE : FOLLOW_RAW;
    struct follow follow = {.fd = fd, .form = cli->json ? FOLLOW_JSON : form};
    const char *lines = args_text(&cli->args, "lines");
    int status = lines != NULL ? follow_seek(&follow, value_number(lines), err) : 0;
    if (status == 0) {
        status = pid > 0 ? follow_until(&follow, pid, err) : follow_drain(&follow, err);
    }
    follow_free(&follow);
    if (status < 0) {
        return -1;
    }
    return signals_caught() != 0 ? EXIT_SIGNAL_BASE + signals_caught() : EXIT_DONE;
}

/* The process whose end is the log's end; 0: none runs, and the log will not grow. */
static int find_writer(struct cli *cli, pid_t *pid, banger_error *err)
{
    AUTO_JSON json_t *vm = cli_call(cli, "vm.show", cli_params(cli, "vm"), err);
    *pid = vm != NULL ? (pid_t)json_get_int(vm, "pid", 0) : 0;
    return vm != NULL ? 0 : -1;
}

int vm_logs(struct cli *cli, banger_error *err)
{
    bool follow = args_has(&cli->args, "follow");
    bool vmm = args_has(&cli->args, "vmm");
    if (args_has(&cli->args, "ops")) {
        if (follow || vmm) {
            (void)error_set(err, BANGER_EINVALID, "--ops goes without --follow and --vmm");
            return error_hint(err, "'banger events --follow' shows operations as they happen");
        }
        return print_operations(cli, err);
    }
    pid_t writer = 0;
    if (follow && find_writer(cli, &writer, err) < 0) {
        return -1;
    }
    json_t *params = cli_params(cli, "vm");
    (void)json_object_set_new(params, "which", json_string(vmm ? "vmm" : "console"));
    AUTO_CLOSE int fd = -1;
    AUTO_JSON json_t *result = cli_call_fd(cli, "vm.log", params, &fd, err);
    return result != NULL ? print_log(cli, fd, writer, err) : -1;
}
