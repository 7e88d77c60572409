/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create, start, stop, kill, restart, pause, resume, delete, prune. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/each.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/recording.h"
#include "cli/vm_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int vm_create(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *vm = cli_call(cli, "vm.create", vm_spec(&cli->args), err);
    if (vm == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(vm);
    } else {
        (void)printf("%s\n", vm_name(vm));
    }
    return EXIT_DONE;
}

/* A method with a start in it, for each VM; `more` goes with every request. */
static int start_each(struct cli *cli, const char *method, json_t *more, banger_error *err)
{
    if (args_has(&cli->args, "record") && cli->args.word_count > 1) {
        return error_set(err, BANGER_EINVALID,
                         "--record takes one VM: each start has a file of its own");
    }
    if (recording_begin(cli, more, err) < 0) {
        return -1;
    }
    int status = each_call(cli, method, "vm", more, err);
    banger_error unwritten = BANGER_ERROR_INIT;
    if (recording_end(cli, args_word(&cli->args, 0), &unwritten) < 0) {
        error_join(err, &unwritten);
        return -1;
    }
    return status;
}

int vm_start(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *more = json_object();
    return start_each(cli, "vm.start", more, err);
}

static json_t *timeout_params(const struct args *args)
{
    const char *timeout = args_text(args, "timeout");
    return timeout != NULL
               ? json_pack("{s:I}", "timeout_ms", (json_int_t)value_milliseconds(timeout))
               : json_object();
}

int vm_stop(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *more = timeout_params(&cli->args);
    return each_call(cli, "vm.stop", "vm", more, err);
}

int vm_restart(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *more = timeout_params(&cli->args);
    return start_each(cli, "vm.restart", more, err);
}

int vm_pause(struct cli *cli, banger_error *err)
{
    return each_call(cli, "vm.pause", "vm", NULL, err);
}

int vm_resume(struct cli *cli, banger_error *err)
{
    return each_call(cli, "vm.resume", "vm", NULL, err);
}

int vm_kill(struct cli *cli, banger_error *err)
{
    const char *signal_name = args_text(&cli->args, "signal");
    AUTO_JSON json_t *more = signal_name != NULL ? json_pack("{s:s}", "signal", signal_name) : NULL;
    return each_call(cli, "vm.kill", "vm", more, err);
}

int vm_delete(struct cli *cli, banger_error *err)
{
    return each_call(cli, "vm.delete", "vm", NULL, err);
}

/* -- prune --------------------------------------------------------------------------------------
 */

/* The names of the VMs that a prune would delete now. */
static int list_idle(struct cli *cli, struct buf *names, size_t *count, banger_error *err)
{
    AUTO_JSON json_t *all =
        cli_call(cli, "vm.list", json_pack("{s:b, s:b}", "all", 1, "brief", 1), err);
    if (all == NULL) {
        return -1;
    }
    size_t i = 0;
    json_t *vm = NULL;
    json_array_foreach (all, i, vm) {
        if (!str_equal(json_get_string(vm, "state", ""), "running")) {
            buf_printf(names, "%s%s", *count == 0 ? "" : ", ", vm_name(vm));
            (*count)++;
        }
    }
    return 0;
}

/* 1: go on. 0: the answer was no. */
static int confirm_prune(struct cli *cli, banger_error *err)
{
    if (isatty(STDIN_FILENO) != 1) {
        (void)error_set(err, BANGER_EINVALID, "standard input is no terminal: nobody can be asked");
        return error_hint(err, "give --force to delete without a question");
    }
    AUTO_BUF struct buf names = BUF_INIT;
    size_t count = 0;
    if (list_idle(cli, &names, &count, err) < 0) {
        return -1;
    }
    if (count == 0) {
        output_note("every VM is running: there is nothing to delete");
        return 0;
    }
    AUTO_FREE char *shown = output_line(names.data);
    (void)fprintf(stderr, "Delete %zu VM%s (%s) and their disks? [y/N] ", count,
                  count == 1 ? "" : "s", shown);
    (void)fflush(stderr);
    char answer[16] = "";
    ssize_t got = read(STDIN_FILENO, answer, sizeof(answer) - 1);
    if (got < 0 && errno == EINTR) {
        return error_set(err, BANGER_ECANCELLED, "interrupted: nothing was deleted");
    }
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

int vm_prune(struct cli *cli, banger_error *err)
{
    int confirmed = args_has(&cli->args, "force") ? 1 : confirm_prune(cli, err);
    if (confirmed <= 0) {
        return confirmed < 0 ? -1 : EXIT_DONE;
    }
    AUTO_JSON json_t *gone = cli_call(cli, "vm.prune", NULL, err);
    if (gone == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(gone);
        return EXIT_DONE;
    }
    size_t i = 0;
    json_t *vm = NULL;
    json_array_foreach (gone, i, vm) {
        (void)printf("%s\n", vm_name(vm));
    }
    return EXIT_DONE;
}
