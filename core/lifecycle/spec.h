/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM's specification: what its user asked for, as a JSON object whose keys are the rows of the
 * table in spec.c. Checked here and nowhere else.
 */
#ifndef LIFECYCLE_SPEC_H
#define LIFECYCLE_SPEC_H

#include "base/error.h"

#include <jansson.h>

/* Checks `params` (other keys than the table's, `name`, `image`, `kernel` and those in `also` are
 * refused with the nearest known one) and completes them from the configuration. New reference. */
json_t *spec_new(const json_t *params, const json_t *config, const char *const *also,
                 banger_error *err);

/* `old` with the changes applied: labels merge (null removes one), everything else replaces. A disk
 * never shrinks. New reference. */
json_t *spec_change(const json_t *old, const json_t *changes, banger_error *err);

#endif
