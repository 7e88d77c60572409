/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A TCP connection that this process makes itself, as its input and output. */
#ifndef CLI_TCP_H
#define CLI_TCP_H

#include "base/error.h"

/* A connected socket, or -1 without an error: there are other ways to a guest. */
int tcp_connect(const char *address, unsigned port);
/* Carries until both directions have ended. Takes `fd` and `out`; `in` stays open. */
int tcp_carry(int fd, int in, int out, banger_error *err);

#endif
