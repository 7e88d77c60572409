/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One service at work: its process, its descriptors, and the credit of both directions. */
#ifndef AGENT_STREAM_H
#define AGENT_STREAM_H

#include "frame.h"
#include "mux.h"

/* Handles OPEN. NULL when it is over already: its EXIT has been sent. */
struct stream *stream_open(struct mux *mux, const struct frame *open);
/* Handles any later frame. False when the stream is over and gone. */
bool stream_receive(struct stream *stream, const struct frame *frame);
void stream_interest(struct stream *stream, struct pollset *set);
bool stream_serve(struct stream *stream, const struct pollset *set); /* false: over and gone */
/* Its process was reaped; false as above. */
bool stream_child_ended(struct stream *stream, int status);
/* The host is gone: hangs up on the process and lets go of it. */
void stream_abandon(struct stream *stream);

uint32_t stream_number(const struct stream *stream);
pid_t stream_pid(const struct stream *stream);

#endif
