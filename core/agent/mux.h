/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection to a host and the streams in it (frame.h has the protocol).
 *
 * 1. Everything is non-blocking and on one thread. Each round, mux_interest says what to poll for
 * and mux_serve does what has become possible.
 * 2. The link is watched through an epoll set of its own, edge-triggered: while no host has a
 * virtio-serial port open its poll() answers POLLHUP without end (port_fops_poll in
 * drivers/char/virtio_console.c), which would spin a level-triggered loop. So the link is read
 * until it has no more, each time that it stirs.
 * 3. Output is read from the services only while the queue to the host is short, straight into
 * frames in it. What the host may send is bounded by the credit that it was given.
 * 4. A port stays when its host leaves: the services are hung up on, as after a lost ssh, and the
 * next HELLO starts afresh. A socket connection ends with its host.
 */
#ifndef AGENT_MUX_H
#define AGENT_MUX_H

#include "pollset.h"
#include "queue.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mux;
struct stream;

/* Takes the link's ownership, in every case. `persistent`: a port, which outlives its hosts. NULL
 * when memory or descriptors are out. `reply` gets the output; the same descriptor for a socket. */
struct mux *mux_new(int link, int reply, bool persistent);
void mux_free(struct mux *mux); /* hangs up on what still runs */

void mux_interest(struct mux *mux, struct pollset *set);
void mux_serve(struct mux *mux, const struct pollset *set);
bool mux_is_over(const struct mux *mux);
/* A child was reaped; `status` as EXIT carries it. True when it was this connection's. */
bool mux_child_ended(struct mux *mux, pid_t pid, int status);

/* For stream.c. */
void mux_send(struct mux *mux, uint8_t type, uint32_t number, const void *payload, size_t length);
/* Reads up to `limit` bytes from a service into a frame; what read(2) returned. */
ssize_t mux_relay(struct mux *mux, uint8_t type, uint32_t number, int fd, size_t limit);
bool mux_has_room(const struct mux *mux);

#endif
