/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a VM's processes so that none is ever lost (banger/host.h, spawn). */
#ifndef LIFECYCLE_SPAWN_H
#define LIFECYCLE_SPAWN_H

#include "base/process.h"
#include "lifecycle/operation.h"
#include "store/journal.h"

int spawn_for_vm(struct operation *op, const char *capability, const json_t *argv,
                 const json_t *options, banger_error *err);

/* The identity that a journal row of kind "process" holds; -1 when it holds none (yet). */
int spawn_row_process(const struct resource *row, struct process_id *process);
bool spawn_row_is_vmm(const struct resource *row);

#endif
