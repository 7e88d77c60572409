/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the process of an isolated plugin says that the plugin is, as the descriptor it would have been. */
#ifndef CAPABILITY_ISOLATE_DESCRIBE_H
#define CAPABILITY_ISOLATE_DESCRIBE_H

#include "base/error.h"

#include <banger/plugin.h>
#include <jansson.h>
#include <stdbool.h>

struct isolate_description;

/* Whether it makes sense beyond its types is for the same checks that a plugin's own descriptor goes
 * through. A message {"error"} gives that error. Keeps a reference to the message. */
struct isolate_description *isolate_description_new(json_t *message, banger_error *err);
void isolate_description_free(struct isolate_description *description);
/* Its functions are names only (isolate_function): they cannot be called. */
const struct banger_plugin *
isolate_description_plugin(const struct isolate_description *description);
/* Whether another process of the same file has said the same. */
bool isolate_description_equal(const struct isolate_description *a,
                               const struct isolate_description *b);

/* The function that stands at this place in a described plugin: an enum wire_function; -1: none. */
int isolate_function(banger_hook function);

#endif
