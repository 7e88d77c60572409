/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A state folder, a store and a recording context for the tests of core/image. */
#ifndef TESTS_IMAGE_ENV_H
#define TESTS_IMAGE_ENV_H

#include "base/cleanup.h"
#include "base/file.h"
#include "image/image.h"
#include "store/journal.h"
#include "temp_dir.h"

struct image_env {
    struct temp_dir dir;
    struct layout layout;
    struct store *store;
    struct image_context context;
    int looks;        /* how often somebody asked whether to go on */
    int cancel_after; /* so many looks later the answer is no; < 0: never */
};

static inline void image_env_progress(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static inline bool image_env_cancelled(void *context)
{
    struct image_env *env = context;
    env->looks++;
    return env->cancel_after >= 0 && env->looks > env->cancel_after;
}

static inline void image_env_open(struct image_env *env)
{
    banger_error err = BANGER_ERROR_INIT;
    *env = (struct image_env){.cancel_after = -1};
    temp_dir_make(&env->dir);
    env->layout = (struct layout){
        .config_dir = xstrdup(env->dir.path),
        .state_dir = str_format("%s/state", env->dir.path),
        .run_dir = str_format("%s/run", env->dir.path),
        .cache_dir = str_format("%s/cache", env->dir.path),
        .plugin_dir = xstrdup(env->dir.path),
        .libexec_dir = xstrdup(env->dir.path),
    };
    temp_dir_write(&env->dir, "banger-agent", "this stands for the agent\n");
    AUTO_FREE char *database = layout_database(&env->layout);
    if (dir_make(env->layout.state_dir, 0700, &err) < 0 ||
        (env->store = store_open(database, &err)) == NULL) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    env->context = (struct image_context){
        .layout = &env->layout,
        .store = env->store,
        .progress = image_env_progress,
        .cancelled = image_env_cancelled,
        .context = env,
    };
}

static inline void image_env_close(struct image_env *env)
{
    store_close(env->store);
    layout_free(&env->layout);
    temp_dir_remove(&env->dir);
}

/* Folders below state/NAME and rows in the journal: 0 when nothing is left behind. */
static inline int image_env_leftovers(const struct image_env *env, const char *name)
{
    AUTO_FREE char *path = str_format("%s/%s", env->layout.state_dir, name);
    AUTO_CLOSEDIR DIR *dir = opendir(path);
    int count = 0;
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    struct resource_list rows = {0};
    if (journal_list_all(env->store, &rows, NULL) < 0) {
        return -1;
    }
    count += (int)rows.count;
    resource_list_free(&rows);
    return count;
}

#endif
