/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it costs to call a hook of a plugin in a process of its own, and what the same costs in ours: one
 * dispatch each, in nanoseconds, a line each time: PLACE HOOK NANOSECONDS.
 *   bench_isolate BANGER_PLUGIN MEASURED.so */
#include "base/clock.h"
#include "base/str.h"
#include "capability/dispatch.h"
#include "capability/loader.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 1000

static void or_end(int result, const banger_error *err)
{
    if (result < 0) {
        (void)fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static void measure(struct registry *registry, const char *place, enum hook hook)
{
    json_t *input = json_pack("{s:{s:s}}", "vm", "name", "web");
    const struct scope_init init = {.registry = registry, .input = input};
    struct scope *scope = scope_new(&init);
    banger_error err = BANGER_ERROR_INIT;
    or_end(dispatch_hook(scope, hook, &err), &err); /* the first starts what the others use */
    int64_t took[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = clock_mono_ns();
        or_end(dispatch_hook(scope, hook, &err), &err);
        took[i] = clock_mono_ns() - start;
    }
    for (int i = 0; i < ROUNDS; i++) {
        (void)printf("%s %s %lld\n", place, hook == HOOK_PREPARE ? "nothing" : "key",
                     (long long)took[i]);
    }
    scope_unref(scope);
    json_decref(input);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    for (int isolated = 0; isolated < 2; isolated++) {
        struct registry *registry = registry_new();
        const struct loader loader = {registry, NULL, argv[1], .bundled = isolated == 0};
        banger_error err = BANGER_ERROR_INIT;
        or_end(loader_load_file(&loader, argv[2], &err), &err);
        const struct capability *measured = registry_find(registry, "measured");
        if (measured->broken != NULL) { /* then its hooks are not called, and take no time */
            or_end(-1, measured->broken);
        }
        measure(registry, isolated ? "isolated" : "in-process", HOOK_PREPARE);
        measure(registry, isolated ? "isolated" : "in-process", HOOK_CLEANUP);
        registry_free(registry);
    }
    return 0;
}
