/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kahn's algorithm: again and again take, among those that nothing untaken must precede, the one
 * that the configuration and then the name put first. What cannot be taken lies on or behind a
 * cycle.
 */
#include "order.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

#define NAME_LIMIT 64 /* longer names match nothing: a plugin's has at most 31 bytes */

struct graph {
    struct capability **items;
    size_t count;
    bool *precedes; /* [a * count + b]: a must come before b */
    bool *taken;
    enum order_blame blame;
    struct capability *blamed;
};

static const char *name_at(const struct graph *graph, size_t index)
{
    return graph->items[index]->plugin->name;
}

static size_t find(const struct graph *graph, const char *name)
{
    size_t index = 0;
    while (index < graph->count && strcmp(name_at(graph, index), name) != 0) {
        index++;
    }
    return index;
}

static int unknown_name(struct graph *graph, size_t of, const char *relation, const char *name,
                        banger_error *err)
{
    graph->blamed = graph->items[of];
    AUTO_FREE const char **names = xcalloc(graph->count, sizeof(*names));
    for (size_t i = 0; i < graph->count; i++) {
        names[i] = i != of ? name_at(graph, i) : NULL;
    }
    (void)error_set(err, BANGER_ENOTFOUND, "capability '%s' must run %s '%s', which is not loaded",
                    name_at(graph, of), relation, name);
    const char *nearest = str_nearest(name, names, graph->count);
    return nearest != NULL
               ? error_hint(err, "did it mean '%s'?", nearest)
               : error_hint(err, "load '%s', or disable '%s' (plugins.%s.enabled = false)", name,
                            name_at(graph, of), name_at(graph, of));
}

/* Draws the edges of one list of names. */
static int draw_edges(struct graph *graph, size_t of, const char *relation,
                      const char *const *names, banger_error *err)
{
    for (; names != NULL && *names != NULL; names++) {
        char name[NAME_LIMIT];
        bool optional = str_ends(*names, "?");
        int length = (int)strlen(*names) - optional;
        if (snprintf(name, sizeof(name), "%.*s", length, *names) >= (int)sizeof(name)) {
            return unknown_name(graph, of, relation, *names, err);
        }
        size_t other = find(graph, name);
        if (other == graph->count) {
            if (optional) {
                continue;
            }
            return unknown_name(graph, of, relation, name, err);
        }
        if (graph->items[other]->broken != NULL) {
            continue; /* it is not called: there is nothing to come before or after */
        }
        bool is_after = strcmp(relation, "after") == 0;
        size_t first = is_after ? other : of;
        size_t second = is_after ? of : other;
        graph->precedes[first * graph->count + second] = true;
    }
    return 0;
}

/* Something untaken that must come before `index`; count when there is nothing. */
static size_t blocker(const struct graph *graph, size_t index)
{
    size_t other = 0;
    while (other < graph->count &&
           (graph->taken[other] || !graph->precedes[other * graph->count + index])) {
        other++;
    }
    return other;
}

static bool comes_first(const struct capability *a, const struct capability *b)
{
    if (a->order != b->order) {
        return a->order < b->order;
    }
    return strcmp(a->plugin->name, b->plugin->name) < 0;
}

/* The next one to take; count when every untaken one is blocked. */
static size_t pick(const struct graph *graph)
{
    size_t best = graph->count;
    for (size_t i = 0; i < graph->count; i++) {
        if (!graph->taken[i] && blocker(graph, i) == graph->count &&
            (best == graph->count || comes_first(graph->items[i], graph->items[best]))) {
            best = i;
        }
    }
    return best;
}

/* Somewhere on a cycle: going from a blocked one to its blocker must come round, since each of them
 * has one. Of its members the first by name, so that one cycle is always told the same way. */
static size_t find_cycle(const struct graph *graph)
{
    size_t at = 0;
    while (graph->taken[at]) {
        at++;
    }
    for (size_t i = 0; i < graph->count; i++) { /* as many steps surely end on the cycle */
        at = blocker(graph, at);
    }
    size_t first = at;
    for (size_t step = blocker(graph, at); step != at; step = blocker(graph, step)) {
        first = strcmp(name_at(graph, step), name_at(graph, first)) < 0 ? step : first;
    }
    return first;
}

static bool may_break(enum order_blame blame, const struct capability *capability)
{
    return blame == ORDER_BLAMES_CARRIED ? capability->carrier != NULL : capability->stranger;
}

static void blame(struct graph *graph, size_t index)
{
    struct capability *capability = graph->items[index];
    if (may_break(graph->blame, capability) &&
        (graph->blamed == NULL ||
         strcmp(capability->plugin->name, graph->blamed->plugin->name) > 0)) {
        graph->blamed = capability;
    }
}

static int report_cycle(struct graph *graph, banger_error *err)
{
    size_t first = find_cycle(graph);
    AUTO_FREE char *path = xstrdup(name_at(graph, first));
    size_t step = first;
    do {
        step = blocker(graph, step);
        blame(graph, step);
        char *longer = str_format("%s -> %s", name_at(graph, step), path);
        free(path);
        path = longer;
    } while (step != first);
    (void)error_set(err, BANGER_EINVALID, "the order of capabilities goes in a circle: %s", path);
    return error_hint(err, "each must run before the next; disable one of them in plugins");
}

static int take_all(struct graph *graph, struct capability **sorted, banger_error *err)
{
    for (size_t place = 0; place < graph->count; place++) {
        size_t next = pick(graph);
        if (next == graph->count) {
            return report_cycle(graph, err);
        }
        graph->taken[next] = true;
        sorted[place] = graph->items[next];
    }
    return 0;
}

static int sort(struct graph *graph, struct capability **sorted, banger_error *err)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct banger_plugin *plugin =
            graph->items[i]->plugin; /* a broken one has no wishes */
        if (draw_edges(graph, i, "after", plugin->after, err) < 0 ||
            draw_edges(graph, i, "before", plugin->before, err) < 0) {
            return -1;
        }
    }
    return take_all(graph, sorted, err);
}

static int try_to_order(struct capability **items, size_t count, enum order_blame blame,
                        struct capability **blamed, banger_error *err)
{
    AUTO_FREE bool *precedes = xcalloc(count * count, sizeof(*precedes));
    AUTO_FREE bool *taken = xcalloc(count, sizeof(*taken));
    AUTO_FREE struct capability **sorted = xcalloc(count, sizeof(*sorted));
    struct graph graph = {
        .items = items, .count = count, .precedes = precedes, .taken = taken, .blame = blame};
    int result = sort(&graph, sorted, err);
    *blamed = graph.blamed;
    if (result == 0 && count > 0) {
        memcpy(items, sorted, count * sizeof(*items));
    }
    return result;
}

int order_resolve(struct capability **items, size_t count, enum order_blame blame,
                  banger_error *err)
{
    struct capability *blamed = NULL;
    banger_error problem = BANGER_ERROR_INIT;
    while (try_to_order(items, count, blame, &blamed, &problem) < 0) {
        if (blamed == NULL || !may_break(blame, blamed)) {
            if (err != NULL) {
                *err = problem;
            }
            return -1;
        }
        capability_break(blamed, blamed->plugin->name, &problem);
        problem = BANGER_ERROR_INIT;
    }
    return 0;
}
