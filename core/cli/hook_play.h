/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A script's hooks, played one after the other: what each can see, and what became of it.
 *
 * 1. A hook sees what its own entry in the recording saw; without one, what that hook of another capability
 *    saw; without any, the VM that was asked for, or one that is made up.
 * 2. What earlier hooks of the script have stored and journaled it finds again, unless its entry has it.
 * 3. Programs answer as its own entry has it, each answer once; else they end with status 0 and say nothing.
 */
#ifndef CLI_HOOK_PLAY_H
#define CLI_HOOK_PLAY_H

#include "cli/trial.h"

struct play {
    struct trial trial;
    json_t *recording; /* its list of hooks; NULL: there is none */
    json_t *input;     /* of the VM that was asked for; NULL: none */
    json_t *stored;    /* what the script has stored up to now: {KEY: value} */
    json_t *rows;      /* what it has in the journal; NULL: as the next hook's input has it */
    json_t *hooks; /* [{"hook","seen":"recorded|borrowed|given","result":0|-1,"error"?,"calls"}] */
    bool failed;
};

/* Reads a recording: its list of hooks; a new reference. */
json_t *play_read_recording(const char *path, banger_error *err);
/* The configuration that the script had in the recording, as far as it still has such keys. */
void play_take_config(struct play *play, const json_t *given);
/* Plays all hooks that it has, in the order of a VM's life. */
void play_all(struct play *play);

#endif
