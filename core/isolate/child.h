/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * banger-plugin MEMORY FILE: one process of an isolated plugin (core/capability/isolate.h).
 *
 * 1. main.c moves the socket out of the plugin's way, and confine.c takes from the process what a plugin must not
 *    do to others. Only then the file is loaded, with its constructors.
 * 2. describe.c says what it is; from then on main.c does what the parent asks for.
 * 3. host.c is the host's table as the plugin sees it: each function is a message to the parent.
 * 4. The socket's end is the end: `stop` runs, without a host, and the process exits.
 */
#ifndef ISOLATE_CHILD_H
#define ISOLATE_CHILD_H

#include "base/error.h"

#include <banger/plugin.h>
#include <jansson.h>
#include <stdbool.h>

/* -- link.c: the socket -- */

void link_open(int socket);
/* Steals; -1: it is too long, or NULL, and is not sent. Ends the process when the parent is gone. */
int link_send(json_t *message);
/* A new reference; NULL: the parent has closed it. `soon`: it is expected at once, as an answer is. */
json_t *link_receive(bool soon);

/* -- confine.c -- */

#define CONFINE_FILES 256 /* RLIMIT_NOFILE */

/* `memory`: RLIMIT_AS. */
int confine(int64_t memory, banger_error *err);
/* Whether the process has used up half of its descriptors or most of its memory: leaks. */
bool confine_is_tired(int64_t memory);

/* -- describe.c -- */

/* New; what isolate_description_new reads. */
json_t *describe_plugin(struct banger_plugin *plugin);
json_t *describe_error(const banger_error *problem);

/* -- host.c -- */

/* Has a function of the plugin called, by this thread, with a host that works until it returns. */
int host_run(banger_hook function);
/* The same with a host whose every function fails. */
void host_run_alone(banger_hook function);

#endif
