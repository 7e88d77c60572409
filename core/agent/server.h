/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's loop: connections in, children reaped, signals obeyed. */
#ifndef AGENT_SERVER_H
#define AGENT_SERVER_H

#include <stdbool.h>

struct server_options {
    const char *unix_path; /* listen here and nowhere else; NULL: a guest's transports */
    bool stdio;            /* one connection on standard input and output, then return */
};

/* Returns an exit status; never returns in a guest. */
int server_run(const struct server_options *options);

#endif
