/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIFECYCLE_CREATE_H
#define LIFECYCLE_CREATE_H

#include "base/name.h"
#include "lifecycle/engine.h"

/* Checks everything, provides image and kernel, inserts the record. `id` gets the new VM's id. */
int create_record(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, char id[ID_LENGTH + 1], banger_error *err);

#endif
