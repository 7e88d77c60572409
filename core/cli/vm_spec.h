/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the vm commands share: parameters from options, and a VM object's words. */
#ifndef CLI_VM_SPEC_H
#define CLI_VM_SPEC_H

#include "cli/cli.h"

/* The options of `vm run` and `vm create` as a SPEC of rpc/protocol.h; new. */
json_t *vm_spec(const struct args *args);
/* Adds the options that a SPEC and a change of one have in common. */
void vm_spec_common(const struct args *args, json_t *params);

const char *vm_name(const json_t *vm); /* never NULL */

#endif
