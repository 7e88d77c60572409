/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an isolated plugin's process and its parent say to each other, over a socket pair.
 *
 * 1. A frame is four bytes, the length of what follows (least significant first), and JSON text: at
 *    least one byte, at most WIRE_FRAME_MAX. Anything else is broken, and ends the process.
 * 2. The child speaks first: an object that describes the plugin, or {"error":{code,message,hint}}.
 * 3. The parent has one function run: ["hooks.prepare"]. While it runs, the child calls functions of the
 *    host: ["get_string","vm.name"]; the parent answers those that have a result: [VALUE]. Then the
 *    child says ["return",RESULT,TIRED]; TIRED: the process has used up much of what it may have, and
 *    wants to be replaced.
 * 4. The end of the stream is the child's word to end.
 */
#ifndef CAPABILITY_ISOLATE_WIRE_H
#define CAPABILITY_ISOLATE_WIRE_H

#include "base/str.h"

#include <banger/plugin.h>
#include <jansson.h>

#define WIRE_HEADER 4
#define WIRE_FRAME_MAX                                                                             \
    ((size_t)16 * 1024 * 1024) /* as much as the core parses of a plugin's JSON */

/* Appends the value as one frame. -1: it is too long; nothing is appended. */
int wire_put(struct buf *out, const json_t *value);
/* Looks for a frame at the front: 1 there is one, of `length` bytes behind the header; 0 more is
 * needed; -1 the stream is broken. */
int wire_look(const struct buf *in, size_t *length);
/* Takes the frame that wire_look has found off the front, as JSON; a new reference, or NULL: it is
 * none. */
json_t *wire_take(struct buf *in, size_t length);
/* Waits, awake (base/awake.h), for something to read. Whoever has to wait longer then polls. */
void wire_wait_awake(int socket);

/* -- The functions of a descriptor, by name ("start", "hooks.check", "vmm.launch") ---------------- */

#define WIRE_FUNCTIONS(X)                                                                          \
    X(plugin, start)                                                                               \
    X(plugin, stop)                                                                                \
    X(plugin, expand)                                                                              \
    X(hooks, check)                                                                                \
    X(hooks, prepare)                                                                              \
    X(hooks, contributeMachineConfig)                                                              \
    X(hooks, postStart)                                                                            \
    X(hooks, cleanup)                                                                              \
    X(hooks, configure)                                                                            \
    X(hooks, deleted)                                                                              \
    X(hooks, reconciled)                                                                           \
    X(vmm, check)                                                                                  \
    X(vmm, contribute)                                                                             \
    X(vmm, launch)                                                                                 \
    X(vmm, request_stop)                                                                           \
    X(vmm, pause)                                                                                  \
    X(vmm, resume)                                                                                 \
    X(vmm, verify)                                                                                 \
    X(vmm, cleanup)                                                                                \
    X(rootfs, check)                                                                               \
    X(rootfs, create)                                                                              \
    X(rootfs, attach)                                                                              \
    X(rootfs, contribute)                                                                          \
    X(rootfs, cleanup)                                                                             \
    X(rootfs, resize)                                                                              \
    X(rootfs, health)                                                                              \
    X(network, check)                                                                              \
    X(network, ensure)                                                                             \
    X(network, acquire)                                                                            \
    X(network, contribute)                                                                         \
    X(network, cleanup)                                                                            \
    X(network, remove)

#define WIRE_ID(table, function) WIRE_##table##_##function,
enum wire_function { WIRE_FUNCTIONS(WIRE_ID) WIRE_FUNCTION_COUNT };
#undef WIRE_ID

const char *wire_function_name(enum wire_function function);
int wire_function_find(const char *name); /* -1: there is none of that name */
/* The place of the function in the plugin's tables; NULL: it has no such table. */
banger_hook *wire_function_place(struct banger_plugin *plugin, enum wire_function function);

#endif
