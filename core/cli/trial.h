/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin, or a script that a plugin carries, tried without a daemon and without a VM.
 *
 * 1. The plugin's file is loaded into a process of its own (capability/isolate.h): it may crash there,
 *    end itself, or hang.
 * 2. Its hooks run against a host that records (<banger/test.h>), on a VM that is made up or recorded, with
 *    what the real host refuses refused. What a hook does by itself it really does.
 * 3. vm.dir and vm.run_dir are folders that are made for the trial, and removed with it.
 */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include "cli/args.h"

#include "capability/capability.h"
#include "capability/isolate.h"
#include "capability/machine.h"

#include <banger/test.h>

struct trial {
    struct isolate *isolate;
    struct capability *plugin;     /* what the file is */
    struct capability *capability; /* what is tried: the plugin, or what it carries */
    struct fake_host *host;        /* of the last trial_begin */
    struct machine *machine;       /* what has been contributed to it, as far as it is valid */
    char *dir;
    bool runs; /* programs on the host are really run, and not answered with nothing */
};

/* Loads a plugin's file. On failure nothing needs to be closed. */
int trial_open(struct trial *trial, const char *path, banger_error *err);
void trial_close(struct trial *trial);
/* Its table of the configuration (NULL: defaults only). Before any hook. */
int trial_configure(struct trial *trial, const json_t *policy, banger_error *err);

/* Asks the plugin what it carries, with this input, and tries from now on the capability that comes from the
 * file `origin`. `policy` is that one's. */
int trial_carry(struct trial *trial, json_t *input, const char *origin, const json_t *policy,
                banger_error *err);

/* A new host and an empty machine. `input` is borrowed: {"vm","image",...}; NULL: a VM that is made up. What
 * it lacks of `config` and `self` is the capability's. */
void trial_begin(struct trial *trial, const json_t *input);
/* Runs a hook that it has: 0, or -1 with the error. */
int trial_run(struct trial *trial, enum hook hook, banger_error *err);
bool trial_has(const struct trial *trial, enum hook hook);
/* The same for another function of the plugin's; `what` is a literal. */
int trial_call(struct trial *trial, const char *what, banger_hook function, banger_error *err);
/* Adds what was contributed since to the machine: 0, or -1 with what the real host would refuse. */
int trial_compose(struct trial *trial, banger_error *err);

/* --set KEY=VALUE... as a capability's table of the configuration: a value is JSON, or else a text. NULL, without
 * an error: none was given. */
json_t *trial_policy(const struct args *args);

#endif
