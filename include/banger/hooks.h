/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hooks of a capability. Every hook has the same shape and may be NULL ("not implemented").
 * Result: 0 done; <0 failed, with the reason given to host->fail.
 *
 * The order in one start:  check, prepare, contributeMachineConfig, (the guest boots), postStart.
 * The order among capabilities: `after`/`before`, then the configuration's order, then the name;
 * cleanup and deleted run in reverse.
 * A failed hook fails the operation, or is reported as a warning, as the capability's configuration
 * says (on_error = "abort" | "warn"); so does one that outlives its deadline (timeout = 10 seconds
 * unless configured).
 */
#ifndef BANGER_HOOKS_H
#define BANGER_HOOKS_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int (*banger_hook)(const struct banger_host *host, struct banger_call *call);

struct banger_hooks {
    uint32_t size; /* sizeof(struct banger_hooks) */

    /* Can this work here? In preflight with the VM's keys, in `banger doctor` without (vm.id is
     * then absent). No side effects. */
    banger_hook check;
    /* Acquire what the VM needs on the host, each through the journal. */
    banger_hook prepare;
    /* Say what the machine needs. Pure: `banger vm plan` calls it for a VM that is not started. */
    banger_hook contributeMachineConfig;
    /* The guest's agent answers; host->guest_exec works (unless the VMM has no agent, as vmm.launch
     * says: then the machine has been launched, and guest_exec fails). */
    banger_hook postStart;
    /* Hand back everything in `resources`. Idempotent; never assumes that prepare ran. */
    banger_hook cleanup;
    /* Settings of a running VM change (`banger vm set`): change.KEY holds the new values. */
    banger_hook configure;
    /* The VM's record is about to go: forget what was kept for it across runs. */
    banger_hook deleted;
    /* The daemon has come back and found this VM running, or a configure of it has failed, or what the
     * VMs of its network share has been made anew: rebuild what lived in the daemon's memory, and make
     * what the VM's settings say and no more. Idempotent. */
    banger_hook reconciled;
};

#ifdef __cplusplus
}
#endif

#endif
