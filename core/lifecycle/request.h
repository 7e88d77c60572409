/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of one VM, and the frame around carrying it out. */
#ifndef LIFECYCLE_REQUEST_H
#define LIFECYCLE_REQUEST_H

#include "lifecycle/operation.h"

struct request {
    const char *kind; /* "vm.start" */
    const char *vm;   /* name, id or id prefix */
    int64_t stop_timeout_ms;
    int signal_number;
    const json_t *changes;
    /* Asked under the VM's lock, before anything is logged: false, there is nothing to do (any
     * more). Of `op` engine and vm are set. NULL: there always is. */
    bool (*is_due)(const struct operation *op);
    int (*body)(struct operation *op, banger_error *err); /* runs under the VM's lock */
    /* Of a VM that goes: what there was of it. A new reference, after success only; NULL: not
     * wanted. */
    json_t **last;
};

#define REQUEST_NOT_DUE 1

/* Takes the VM's lock, opens and begins the operation, runs the body, ends it. 0, REQUEST_NOT_DUE
 * or -1. */
int request_run(struct engine *engine, const struct caller *caller, const struct request *request,
                banger_error *err);
/* The same for who has the VM's lock already; `request->vm` is its id. */
int request_run_held(struct engine *engine, const struct caller *caller,
                     const struct request *request, banger_error *err);
/* The same, and the VM as the operation has left it, which nobody else has changed since (`result`
 * NULL: not wanted). */
int request_run_and_show(struct engine *engine, const struct caller *caller,
                         const struct request *request, json_t **result, banger_error *err);

/* For the daemon itself, `request->vm` is an id. True: it is done, it was not due, or there is no such VM (any more);
 * else the log has the reason. */
bool request_attempt(struct engine *engine, const struct request *request);

#endif
