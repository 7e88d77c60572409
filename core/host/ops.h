/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of host operations: everything that the rest of banger can have done with privilege.
 * Each row (ops.c) has a name, its arguments with their checks, and a function. Whoever asks is
 * believed in nothing: names must match our patterns, addresses lie inside the bridge's range, and a
 * device is touched only when its alias says that it is ours, and this VM's.
 *
 * Everything goes through host_op_run with JSON on both sides, so that a root helper can later serve
 * exactly this table to a daemon without privilege.
 */
#ifndef HOST_OPS_H
#define HOST_OPS_H

#include "host/host.h"

#include <jansson.h>

/* One operation asked for. */
struct op_call {
    const char *vm_id;  /* for which VM; NULL: for the host */
    const json_t *args; /* checked */
};

/* `result` starts as an empty object, for the function to fill. */
typedef int (*op_fn)(struct host *host, const struct op_call *call, json_t *result,
                     banger_error *err);

/* Whether an operation of that name changes nothing; false too when there is none. */
bool host_op_asks(const char *name);

/* Checks the arguments and runs it. EINVALID: an unknown operation or argument, a wrong value.
 * EPERMISSION: the daemon lacks the privilege. `result` is a new reference, on success alone. */
int host_op_run(struct host *host, const char *vm_id, const char *name, const json_t *args,
                json_t **result, banger_error *err);

#endif
