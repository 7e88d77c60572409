/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A caller's side of a stream from channel_open_stream: used by the CLI (with a terminal) and by
 * channel_call. Blocking, one thread.
 */
#ifndef GUEST_SESSION_H
#define GUEST_SESSION_H

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

struct exec_request {
    char *const *argv; /* NULL-terminated, at least one */
    char *const *env;  /* NAME=VALUE..., NULL-terminated; NULL: none */
    const char *user;  /* NULL: root */
    const char *cwd;   /* NULL: the user's home */
    bool tty;
    bool with_stdin;
    unsigned rows, columns; /* with tty */
};

/* The OPEN payload of SERVICE_EXEC (behind the service byte), appended to `out`. Fails when it
 * would not fit a frame. */
int exec_encode(const struct exec_request *request, struct buf *out, banger_error *err);

struct session_io {
    int in; /* -1: nothing is sent */
    int out;
    int err;
    bool tty;             /* raw mode on `in`, SIGWINCH sends RESIZE; restored on every way out */
    bool forward_signals; /* INT, TERM, HUP, QUIT go to the guest's program */
    /* `out` is shut down and closed as soon as the guest's side has ended; left open on failure. */
    bool ends_out;
    char **why; /* gets the service's reason, a new string or NULL; NULL: goes to `err` */
};

/* Pumps until EXIT. Returns the status (0-255), or -1 when the stream broke. */
int session_run(int stream_fd, const struct session_io *io, banger_error *err);

#endif
