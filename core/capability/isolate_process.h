/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process of an isolated plugin, as its parent sees it: a socket for the protocol, a pipe for what the
 * plugin prints, and its end. Nothing that comes out of it is believed.
 */
#ifndef CAPABILITY_ISOLATE_PROCESS_H
#define CAPABILITY_ISOLATE_PROCESS_H

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "capability/isolate.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_SAID_MAX 160

struct isolate_process {
    struct isolate_process *next; /* among the idle ones */
    int pidfd;
    int socket;
    int output;                  /* -1: closed */
    bool started;                /* the plugin's `start` has run in it */
    struct buf in;               /* from the socket, not yet a frame */
    struct buf line;             /* from the pipe, not yet a line */
    size_t budget;               /* bytes that may still be logged in this call */
    char said[PROCESS_SAID_MAX]; /* the last line that it printed in this call */
};

/* Where lines go that the plugin prints; NULL call: to nobody. */
struct isolate_sink {
    const struct banger_host *host;
    struct banger_call *call;
};

enum isolate_event {
    ISOLATE_MESSAGE,
    ISOLATE_LATE,   /* the deadline has passed */
    ISOLATE_ENDED,  /* the process has, or closed its socket */
    ISOLATE_BROKEN, /* what it sent is not the protocol */
};

/* Starts the program with `path` as its plugin. On the keeper's thread only. */
struct isolate_process *isolate_process_new(const char *path, const struct isolate_limits *limits,
                                            banger_error *err);
/* Nothing waits in it, and it lives: it may get a call. */
bool isolate_process_is_calm(struct isolate_process *process);
/* Begins a call: a new budget for what it prints. */
void isolate_process_begin(struct isolate_process *process);
enum isolate_event isolate_process_send(struct isolate_process *process, const json_t *message,
                                        deadline until);
/* The next message; a new reference, with ISOLATE_MESSAGE only. */
enum isolate_event isolate_process_receive(struct isolate_process *process,
                                           const struct isolate_sink *sink, deadline until,
                                           json_t **message);
/* Lets it end by itself, in a while; frees. */
void isolate_process_dismiss(struct isolate_process *process);
/* Kills it, unless it ends by itself so soon, and reaps it: the wait status, -1 of one that was killed.
 * What it still had to print goes to the sink. Does not free. */
int isolate_process_finish(struct isolate_process *process, const struct isolate_sink *sink,
                           int64_t patience_ms);
void isolate_process_free(struct isolate_process *process);

#endif
