/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a VM's record. */
#ifndef LIFECYCLE_CREATE_H
#define LIFECYCLE_CREATE_H

#include "base/name.h"
#include "lifecycle/engine.h"

/* An id for a new VM. Its first digits name the VM's run folder, so that no other VM has them. */
void create_id(struct engine *engine, char id[ID_LENGTH + 1]);
/* Checks everything, provides image and kernel, inserts the record with that id. */
int create_record(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, const char *id, banger_error *err);

#endif
