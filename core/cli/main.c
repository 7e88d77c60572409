/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * banger: the command line. Finds the command's row, takes the arguments apart, runs its handler,
 * and turns what came of it into an exit status. All output of errors is here.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A closed 0, 1 or 2 would be taken by the next file that is opened, and written into. */
static void open_standard_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDWR);
    }
    if (fd > STDERR_FILENO) {
        (void)close(fd);
    }
}

static int status_of_error(const struct command *command, const banger_error *err)
{
    bool passes_on = command != NULL && (command->traits & COMMAND_GUEST_EXIT) != 0;
    if (signals_caught() != 0) {
        return EXIT_SIGNAL_BASE + signals_caught();
    }
    switch (err->code) {
    case BANGER_EINVALID:
        return EXIT_USAGE;
    case BANGER_ENOTFOUND:
        return EXIT_FAILED;
    default:
        return passes_on ? EXIT_BANGER_FAILED : EXIT_FAILED;
    }
}

/* What stdio still holds may not fit on the disk: then the command has not done its work. */
static int finish_output(int status, bool json)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    if (errno != EPIPE) { /* a reader that had enough, as `head`, is no failure to tell of */
        banger_error err = BANGER_ERROR_INIT;
        (void)error_sys(&err, errno, "cannot write the output");
        output_error(&err, json);
    }
    return status == EXIT_DONE ? EXIT_FAILED : status;
}

static int run_command(struct cli *cli, int argc, char *const *argv, banger_error *err)
{
    if (args_parse(&cli->args, cli->command, argc, argv, err) < 0) {
        return -1;
    }
    cli->json = cli->json || args_has(&cli->args, "json");
    cli->quiet = cli->quiet || args_has(&cli->args, "quiet");
    if (args_has(&cli->args, "help")) {
        help_command(cli->command);
        return EXIT_DONE;
    }
    return cli->command->run(cli, err);
}

/* `banger --help`, and common options in front of the command. Returns how many words it took, or
 * -1; sets `*done` when there is nothing left to do. */
static int leading_options(struct cli *cli, int argc, char **argv, bool *done, banger_error *err)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        const char *option = argv[at];
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            help_all();
            *done = true;
        } else if (strcmp(option, "--version") == 0) {
            argv[at] = (char *)"version";
            return at;
        } else if (strcmp(option, "--json") == 0) {
            cli->json = true;
        } else if (strcmp(option, "--quiet") == 0 || strcmp(option, "-q") == 0) {
            cli->quiet = true;
        } else {
            (void)error_set(err, BANGER_EINVALID, "unknown option '%s'", option);
            return error_hint(err, "options of a command come behind it: banger COMMAND %s",
                              option);
        }
    }
    return at;
}

static int run(struct cli *cli, int argc, char **argv, banger_error *err)
{
    bool done = false;
    int at = leading_options(cli, argc, argv, &done, err);
    if (at < 0 || done) {
        return at < 0 ? -1 : EXIT_DONE;
    }
    if (at == argc) {
        help_short();
        return EXIT_DONE;
    }
    int used = 0;
    const struct command_group *group = NULL;
    cli->command = command_find(argc - at, argv + at, &used, &group, err);
    if (cli->command != NULL) {
        return run_command(cli, argc - at - used, argv + at + used, err);
    }
    if (group == NULL) {
        return -1;
    }
    if (argc - at > 1) {
        bool asked = strcmp(argv[at + 1], "--help") == 0 || strcmp(argv[at + 1], "-h") == 0;
        if (asked) {
            help_group(group);
            return EXIT_DONE;
        }
    }
    (void)error_set(err, BANGER_EINVALID, "'banger %s' needs a command", group->name);
    return error_hint(err, "'banger %s --help' lists them", group->name);
}

/* Errors of a command line that could not be taken apart are to be JSON too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    signals_install();
    banger_error err = BANGER_ERROR_INIT;
    struct cli cli = {0};
    int status = run(&cli, argc, argv, &err);
    bool json = cli.json || (status < 0 && wants_json(argc, argv));
    if (status < 0) {
        output_error(&err, json);
        status = status_of_error(cli.command, &err);
    } else if (status == EXIT_DONE && signals_caught() != 0) {
        status = EXIT_SIGNAL_BASE + signals_caught(); /* it came too late to change what was done */
    }
    rpc_client_close(cli.client);
    json_decref(cli.recording);
    args_free(&cli.args);
    return finish_output(status, json);
}
