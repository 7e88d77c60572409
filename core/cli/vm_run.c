/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm run:
 * 1. vm.run creates and starts the VM. With --rm the daemon ties the VM's life to our connection.
 * 2. vm.exec gives a stream to the program, which is pumped until it ends. The connection stays
 *    open meanwhile.
 * 3. With --rm, vm.delete, so that the VM is gone when we return and not a moment later. Should we
 *    die before, the closed connection does the same.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/exec.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/recording.h"
#include "cli/vm_spec.h"

#include <stdio.h>

static int check_options(const struct cli *cli, banger_error *err)
{
    const struct args *args = &cli->args;
    bool detach = args_has(args, "detach");
    if (args->word_count > 0) {
        (void)error_set(err, BANGER_EINVALID,
                        "cannot import '%s': importing a repository is not there yet",
                        args_word(args, 0));
        return error_hint(err, "a command goes behind '--'; 'banger vm cp' copies files in");
    }
    if (detach && args_has(args, "rm")) {
        return error_set(err, BANGER_EINVALID,
                         "--detach and --rm exclude each other: nothing would be left running");
    }
    if (detach && args->guest_argv != NULL) {
        (void)error_set(err, BANGER_EINVALID, "--detach takes no command");
        return error_hint(err, "start it with --detach, then use 'banger vm exec NAME -- COMMAND'");
    }
    return exec_check_options(cli, err);
}

static void remind(const struct cli *cli, const char *name)
{
    if (!cli->quiet && !cli->json) {
        AUTO_FREE char *text =
            str_format("%s is still running; to delete it: banger vm delete %s", name, name);
        output_note(text);
    }
}

/* The guest's status is what counts: a VM that cannot be deleted is a warning beside it. */
static void delete_after_run(struct cli *cli, const char *id)
{
    banger_error err = BANGER_ERROR_INIT;
    cli->finishing = true;
    cli->quiet = true;
    AUTO_JSON json_t *gone = cli_call(cli, "vm.delete", json_pack("{s:s}", "vm", id), &err);
    if (gone == NULL) {
        output_warning(err.message, cli->json);
    }
}

static int print_started(const struct cli *cli, const json_t *vm)
{
    if (cli->json) {
        output_json(vm);
    } else {
        (void)printf("%s\n", vm_name(vm));
    }
    return EXIT_DONE;
}

/* The start is what counts: a recording that cannot be written is a warning beside it. */
static void end_recording(struct cli *cli, const json_t *vm)
{
    banger_error err = BANGER_ERROR_INIT;
    const char *name = vm != NULL ? vm_name(vm) : args_text(&cli->args, "name");
    if (recording_end(cli, name, &err) < 0) {
        output_warning(err.message, cli->json);
    }
}

int vm_run(struct cli *cli, banger_error *err)
{
    if (check_options(cli, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *exec = exec_params(cli, err);
    if (exec == NULL) {
        return -1;
    }
    bool rm = args_has(&cli->args, "rm");
    json_t *spec = vm_spec(&cli->args);
    (void)json_object_set_new(spec, "rm", json_boolean(rm));
    if (recording_begin(cli, spec, err) < 0) {
        json_decref(spec);
        return -1;
    }
    AUTO_JSON json_t *vm = cli_call(cli, "vm.run", spec, err);
    end_recording(cli, vm);
    if (vm == NULL) {
        return -1;
    }
    if (args_has(&cli->args, "detach")) {
        return print_started(cli, vm);
    }
    int status = exec_run(cli, vm_name(vm), STEAL(exec), err);
    if (rm) {
        delete_after_run(cli, json_get_string(vm, "id", vm_name(vm)));
    } else {
        remind(cli, vm_name(vm));
    }
    return status;
}
