/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it costs to call a hook that does nothing: one dispatch over 1, 10 and 100 capabilities, in
 * nanoseconds a hook, a line each. */
#include "base/clock.h"
#include "base/str.h"
#include "capability/dispatch.h"

#include <stdio.h>
#include <stdlib.h>

static int do_nothing(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    return 0;
}

static const struct banger_hooks hooks = {.size = sizeof(hooks), .prepare = do_nothing};

static struct registry *make_registry(int count)
{
    struct registry *registry = registry_new();
    for (int i = 0; i < count; i++) {
        struct banger_plugin *plugin = xcalloc(1, sizeof(*plugin)); /* as long as the process */
        *plugin = (struct banger_plugin){
            BANGER_PLUGIN_HEADER,      .name = str_format("nothing-%d", i), .version = "1",
            .summary = "does nothing", .license = "LGPL-2.1-or-later",      .hooks = &hooks};
        banger_error err = BANGER_ERROR_INIT;
        if (registry_add(registry, plugin, "built-in", NULL, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
    }
    return registry;
}

static int measure(int count, int rounds)
{
    static const struct scope_services services;
    struct registry *registry = make_registry(count);
    banger_error err = BANGER_ERROR_INIT;
    if (registry_resolve(registry, &err) < 0) {
        return -1;
    }
    json_t *empty = json_object();
    struct scope_init init = {
        .registry = registry, .input = empty, .runtime = empty, .services = &services};
    struct scope *scope = scope_new(&init);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < rounds; i++) {
        if (dispatch_hook(scope, HOOK_PREPARE, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.message);
            return -1;
        }
    }
    int64_t took = clock_mono_ns() - start;
    (void)printf("%d %.1f\n", count, (double)took / rounds / count);
    scope_unref(scope);
    json_decref(empty);
    registry_free(registry);
    return 0;
}

int main(void)
{
    static const int counts[] = {1, 10, 100};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (measure(counts[i], 20000 / counts[i]) < 0) {
            return 1;
        }
    }
    return 0;
}
