/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lineup.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdatomic.h>
#include <string.h>

struct lineup {
    _Atomic int references;
    size_t count;
    struct capability *items[];
};

struct lineup *lineup_new(struct capability *const *items, size_t count)
{
    struct lineup *lineup = xcalloc(1, sizeof(*lineup) + count * sizeof(lineup->items[0]));
    atomic_init(&lineup->references, 1);
    lineup->count = count;
    for (size_t i = 0; i < count; i++) {
        lineup->items[i] = capability_ref(items[i]);
    }
    return lineup;
}

struct lineup *lineup_ref(struct lineup *lineup)
{
    (void)atomic_fetch_add(&lineup->references, 1);
    return lineup;
}

void lineup_unref(struct lineup *lineup)
{
    if (lineup == NULL || atomic_fetch_sub(&lineup->references, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < lineup->count; i++) {
        capability_unref(lineup->items[i]);
    }
    free(lineup);
}

size_t lineup_count(const struct lineup *lineup)
{
    return lineup->count;
}

struct capability *lineup_at(const struct lineup *lineup, size_t index)
{
    return index < lineup->count ? lineup->items[index] : NULL;
}

size_t lineup_place(const struct lineup *lineup, const char *name)
{
    size_t place = lineup->count;
    for (size_t i = 0; i < lineup->count; i++) {
        if (strcmp(lineup->items[i]->plugin->name, name) == 0 &&
            (place == lineup->count || lineup->items[place]->broken != NULL)) {
            place = i;
        }
    }
    return place;
}

struct capability *lineup_find(const struct lineup *lineup, const char *name)
{
    return lineup_at(lineup, lineup_place(lineup, name));
}

const char *lineup_nearest(const struct lineup *lineup, const char *name)
{
    AUTO_FREE const char **names = xcalloc(lineup->count + 1, sizeof(*names));
    for (size_t i = 0; i < lineup->count; i++) {
        names[i] = lineup->items[i]->plugin->name;
    }
    return str_nearest(name, names, lineup->count);
}
