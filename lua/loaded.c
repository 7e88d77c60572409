/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loaded.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 256

struct file {
    char *path;
    struct source_mark mark;
};

struct loaded {
    struct file *files; /* the script's is the first */
    size_t count;
    json_t *settings;
    char *told;
    bool settled;
};

static struct {
    pthread_mutex_t lock;
    struct loaded kept[KEPT_MAX];
    size_t count;
    size_t next; /* the place to be used again when all are taken */
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void loaded_clear(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->count; i++) {
        free(loaded->files[i].path);
    }
    free(loaded->files);
    free(loaded->told);
    json_decref(loaded->settings);
    *loaded = (struct loaded){0};
}

/* The one of that path; a fresh place for it when there is none. */
static struct loaded *place_of(const char *path, bool make)
{
    for (size_t i = 0; i < cache.count; i++) {
        if (cache.kept[i].count > 0 && strcmp(cache.kept[i].files[0].path, path) == 0) {
            return &cache.kept[i];
        }
    }
    if (!make) {
        return NULL;
    }
    if (cache.count < KEPT_MAX) {
        return &cache.kept[cache.count++];
    }
    cache.next = (cache.next + 1) % KEPT_MAX;
    return &cache.kept[cache.next];
}

static bool is_unchanged(const struct loaded *loaded, const json_t *settings)
{
    if (!loaded->settled || !json_equal(loaded->settings, settings)) {
        return false;
    }
    for (size_t i = 0; i < loaded->count; i++) {
        struct source_mark now;

        source_mark(loaded->files[i].path, &now);
        if (!source_same(&loaded->files[i].mark, &now)) {
            return false;
        }
    }
    return true;
}

char *loaded_find(const char *folder, const char *file, const json_t *settings)
{
    char path[PATH_MAX];
    const struct loaded *loaded;
    char *told = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    (void)pthread_mutex_lock(&cache.lock);
    loaded = place_of(path, false);
    if (loaded != NULL && is_unchanged(loaded, settings)) {
        told = strdup(loaded->told);
    }
    (void)pthread_mutex_unlock(&cache.lock);
    return told;
}

/* Without memory for all of it nothing is kept. */
static void fill(struct loaded *loaded, const struct loading *loading, const json_t *settings,
                 const char *told)
{
    loaded->files = calloc(loading->count, sizeof(*loaded->files));
    loaded->told = strdup(told);
    loaded->settings = json_deep_copy(settings);
    loaded->settled = true;
    for (size_t i = 0; loaded->files != NULL && i < loading->count; i++) {
        const char *path = loading->files[i].path;

        loaded->files[i].path = path != NULL ? strdup(path) : NULL;
        loaded->files[i].mark = loading->files[i].mark;
        loaded->settled = loaded->settled && source_settled(&loading->files[i].mark);
        loaded->count += loaded->files[i].path != NULL;
    }
    if (loaded->count < loading->count || loaded->told == NULL) {
        loaded_clear(loaded);
    }
}

void loaded_keep(const struct loading *loading, const json_t *settings, const char *told)
{
    struct loaded *loaded;

    (void)pthread_mutex_lock(&cache.lock);
    if (loading->files[0].path != NULL) {
        loaded = place_of(loading->files[0].path, true);
        loaded_clear(loaded);
        fill(loaded, loading, settings, told);
    }
    (void)pthread_mutex_unlock(&cache.lock);
}
