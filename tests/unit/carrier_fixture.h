/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin "keeper" that carries what `keeper_says` holds, one description each, and whose hooks note in
 * `trace` whom they were called for.
 */
#ifndef TESTS_CARRIER_FIXTURE_H
#define TESTS_CARRIER_FIXTURE_H

#include "base/cleanup.h"
#include "base/json.h"
#include "capability/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

static const char *keeper_says[8]; /* up to a NULL */
static const char *keeper_fails;   /* the reason; NULL: it does not */
static atomic_int keeper_asked;
static sem_t *keeper_waits; /* for this, in expand; NULL: it does not */
static int keeper_refused;  /* provides that failed, in the last expand */
static char keeper_saw[256];
static char trace[1024];

static inline int keeper_expand(const struct banger_host *host, struct banger_call *call)
{
    atomic_fetch_add(&keeper_asked, 1);
    keeper_refused = 0;
    while (keeper_waits != NULL && sem_wait(keeper_waits) < 0) {
    }
    if (keeper_fails != NULL) {
        host->hint(call, "mend it");
        return (host->fail)(call, BANGER_EIO, "%s", keeper_fails);
    }
    (void)snprintf(keeper_saw, sizeof(keeper_saw), "%s %s", host->get_string(call, "self.name", ""),
                   host->get_string(call, "host.config_dir", ""));
    for (size_t i = 0; keeper_says[i] != NULL; i++) {
        keeper_refused += host->provide(call, keeper_says[i]) != 0;
    }
    return 0;
}

static inline int keeper_note(const struct banger_host *host, struct banger_call *call,
                              const char *hook)
{
    size_t length = strlen(trace);
    (void)snprintf(trace + length, sizeof(trace) - length, "%s:%s ",
                   host->get_string(call, "self.name", "?"), hook);
    if (host->get_bool(call, "self.state.fails", 0)) {
        return (host->fail)(call, BANGER_EGUEST, "as its state says");
    }
    return 0;
}

static inline int keeper_check(const struct banger_host *host, struct banger_call *call)
{
    return keeper_note(host, call, "check");
}

static inline int keeper_prepare(const struct banger_host *host, struct banger_call *call)
{
    return keeper_note(host, call, "prepare");
}

static inline int keeper_cleanup(const struct banger_host *host, struct banger_call *call)
{
    return keeper_note(host, call, "cleanup");
}

static const struct banger_hooks keeper_hooks = {.size = sizeof(keeper_hooks),
                                                 .check = keeper_check,
                                                 .prepare = keeper_prepare,
                                                 .cleanup = keeper_cleanup};

static const struct banger_plugin keeper = {BANGER_PLUGIN_HEADER, .name = "keeper",
                                            .hooks = &keeper_hooks, .expand = keeper_expand};

static char warned[1024];

static inline void note_warning(void *context, const char *text)
{
    (void)context;
    (void)snprintf(warned, sizeof(warned), "%s", text);
}

static const struct scope_services carrier_services = {.warn = note_warning};

static inline struct scope *scope_about(struct registry *registry)
{
    const struct scope_init init = {.registry = registry, .services = &carrier_services};
    return scope_new(&init);
}

/* What the keeper says from now on. */
#define SAY(...)                                                                                   \
    do {                                                                                           \
        const char *const said_[] = {__VA_ARGS__, NULL};                                           \
        memcpy(keeper_says, said_, sizeof(said_));                                                 \
    } while (0)

static inline int open_registry(void **state)
{
    keeper_says[0] = NULL;
    keeper_fails = NULL;
    keeper_waits = NULL;
    atomic_store(&keeper_asked, 0);
    trace[0] = '\0';
    warned[0] = '\0';
    *state = registry_new();
    return registry_add(*state, &keeper, "/p/keeper.so", NULL, NULL);
}

static inline int close_registry(void **state)
{
    registry_free(*state);
    return 0;
}

/* "a b c": the names of a line-up in their order; a broken one has a '!' behind it. */
static inline void expect_lineup(struct registry *registry, const char *expected)
{
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    AUTO_BUF struct buf names = BUF_INIT;
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        const struct capability *capability = lineup_at(lineup, i);
        buf_printf(&names, "%s%s%s", i > 0 ? " " : "", capability->plugin->name,
                   capability->broken != NULL ? "!" : "");
    }
    assert_string_equal(names.data, expected);
}

static inline const banger_error *broken_of(struct registry *registry, const char *name)
{
    static banger_error broken;
    AUTO_LINEUP struct lineup *lineup = registry_lineup(registry);
    broken = BANGER_ERROR_INIT;
    for (size_t i = 0; i < lineup_count(lineup); i++) {
        const struct capability *capability = lineup_at(lineup, i);
        if (strcmp(capability->plugin->name, name) == 0 && capability->broken != NULL) {
            broken = *capability->broken;
        }
    }
    return &broken;
}

/* Dispatches with the line-up of this moment. */
static inline int dispatch_now(struct registry *registry, enum hook hook, banger_error *err)
{
    struct scope *scope = scope_about(registry);
    int result = dispatch_hook(scope, hook, err);
    scope_unref(scope);
    return result;
}

#endif
