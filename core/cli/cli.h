/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of the program: what every command gets. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/args.h"
#include "rpc/client.h"

enum cli_exit {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BANGER_FAILED = 125, /* of commands that pass a guest's status on; docker's number */
    EXIT_SIGNAL_BASE = 128,
};

struct cli {
    const struct command *command;
    struct args args;
    bool json;
    bool quiet;
    bool finishing;            /* what is called now cleans up: Ctrl-C no longer cancels */
    struct rpc_client *client; /* NULL until the first call */
    json_t *recording;         /* recording.h; NULL: nobody wants one */
};

/* Calls the daemon (connecting, and starting it, first where needed) and shows the call's progress.
 * Ctrl-C cancels the call. Steals `params`; returns a new reference. */
json_t *cli_call(struct cli *cli, const char *method, json_t *params, banger_error *err);
/* The same for a method that passes a descriptor. */
json_t *cli_call_fd(struct cli *cli, const char *method, json_t *params, int *fd,
                    banger_error *err);
/* The same for a method that sends events: each is given to `event`. */
json_t *cli_call_events(struct cli *cli, const char *method, json_t *params,
                        void (*event)(struct cli *cli, const json_t *event), banger_error *err);

/* {NAME: the first argument}, for the methods that take one thing: new. */
json_t *cli_params(const struct cli *cli, const char *name);

#endif
