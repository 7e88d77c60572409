/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Showing how far a call is, on stderr. On a terminal the running stage has a live line with its
 * time; elsewhere a stage is a plain line when it takes a while and one when it is over. Stages
 * that took less than PROGRESS_WORTH_MS are left out: `vm logs --ops` has every one.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_WORTH_MS 10

enum progress_mode {
    PROGRESS_OFF,
    PROGRESS_PLAIN,
    PROGRESS_LIVE,
};

struct progress {
    enum progress_mode mode;
    char stage[32];
    char text[128];        /* the latest news of the stage */
    bool running;          /* a stage is */
    bool announced;        /* PROGRESS_PLAIN: its beginning has been told */
    bool line_open;        /* the live line is on the screen */
    int64_t since;         /* clock_mono_ms: of the call */
    int64_t stage_elapsed; /* what the operation had taken when the stage began */
    int64_t stage_since;   /* of the stage */
    bool told;             /* there was something to show */
    int64_t info_at;       /* when a plain line last told news */
    bool interrupted;      /* the user has been told that it is being cancelled */
};

void progress_begin(struct progress *progress, bool wanted);
/* A `progress` notification's parameters. */
void progress_report(struct progress *progress, const json_t *params);
/* Renews the live line. */
void progress_tick(struct progress *progress);
void progress_say_cancelling(struct progress *progress);
/* Makes room for other text on stderr. */
void progress_clear(struct progress *progress);
/* With a last line that says how long all of it took, when it went well. */
void progress_end(struct progress *progress, bool done);

#endif
