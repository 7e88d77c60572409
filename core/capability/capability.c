/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capability.h"

#include "base/str.h"
#include "capability/descriptor.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

struct capability *capability_new(const char *origin)
{
    struct capability *capability = xcalloc(1, sizeof(*capability));
    atomic_init(&capability->references, 1);
    capability->origin = xstrdup(origin);
    capability->order = INT_MAX;
    capability->config = json_object();
    capability->descriptor = xcalloc(1, sizeof(*capability->descriptor));
    capability->plugin = &capability->descriptor->plugin;
    capability->tally = tally_new();
    capability->standing = standing_new();
    return capability;
}

struct capability *capability_ref(struct capability *capability)
{
    (void)atomic_fetch_add(&capability->references, 1);
    return capability;
}

void capability_unref(struct capability *capability)
{
    if (capability == NULL || atomic_fetch_sub(&capability->references, 1) != 1) {
        return;
    }
    struct capability *carrier = capability->carrier;
    isolate_close(capability->isolate);
    free(capability->origin);
    free((banger_error *)capability->broken);
    json_decref(capability->config);
    json_decref(capability->self);
    json_decref(capability->said);
    tally_unref(capability->tally);
    standing_unref(capability->standing);
    descriptor_clear(capability->descriptor);
    free(capability->descriptor);
    free(capability);
    capability_unref(carrier);
}

static void describe(struct capability *capability)
{
    json_decref(capability->self);
    capability->self =
        json_pack("{s:s, s:s}", "name", capability->plugin->name, "origin", capability->origin);
}

int capability_adopt(struct capability *capability, const struct banger_plugin *plugin,
                     banger_error *err)
{
    if (descriptor_adopt(plugin, capability->descriptor, err) < 0) {
        return -1;
    }
    describe(capability);
    return 0;
}

void capability_break(struct capability *capability, const char *name, const banger_error *why)
{
    banger_error *reason = xmalloc(sizeof(*reason));
    *reason = *why;
    free((banger_error *)capability->broken);
    capability->broken = reason;
    descriptor_strip(capability->descriptor, name);
    json_decref(capability->config);
    capability->config = json_object();
    if (capability->self == NULL) {
        describe(capability);
    }
}

void capability_set_state(struct capability *capability, json_t *state)
{
    if (state != NULL) {
        (void)json_object_set(capability->self, "state", state);
    }
}

void capability_succeed(struct capability *capability, const struct capability *earlier)
{
    tally_unref(capability->tally);
    capability->tally = tally_ref(earlier->tally);
    if (json_equal(capability->said, earlier->said)) {
        standing_unref(capability->standing);
        capability->standing = standing_ref(earlier->standing);
    }
}
