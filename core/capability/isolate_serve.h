/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of the host, for a plugin's process that calls them by messages. */
#ifndef CAPABILITY_ISOLATE_SERVE_H
#define CAPABILITY_ISOLATE_SERVE_H

#include "base/error.h"

#include <banger/host.h>
#include <jansson.h>
#include <stdbool.h>

struct isolate_service {
    const struct banger_host *host;
    struct banger_call *call;
    /* For `start` and `stop`, which are about the plugin: what belongs to the call's VM is not there. */
    bool about_plugin;
};

/* Does what `request` (["get_int","vm.vcpu",1]) asks for. `answer` gets a new reference to what is to be
 * sent back, NULL for a function without a result. -1: it is no request. */
int isolate_serve(const struct isolate_service *service, const json_t *request, json_t **answer,
                  banger_error *err);

#endif
