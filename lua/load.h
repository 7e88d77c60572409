/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A script's file as what the host is told of it (host->provide).
 *
 * 1. The file is read and run, in a sandbox, with a bound on its instructions; it returns a table.
 * 2. What it requires meanwhile comes from its folder's lib/. A hook can require no more than that.
 * 3. The table is checked (manifest.h). What cannot be loaded is told as well, with the reason.
 * 4. `state` has the texts of all that was read, so that an operation uses what it began with, and the site's
 *    settings: {"revision","source","modules":[{"name","text"}],"settings"}. The revision is their hash.
 * 5. The outcome is kept until one of the files changes, unless it was for want of time or memory.
 */
#ifndef LUA_LOAD_H
#define LUA_LOAD_H

#include "context.h"
#include "source.h"

#include <jansson.h>

#define LOAD_FILES_MAX 33 /* a script and what it requires */
#define LOAD_NAME_MAX 63

/* A script being loaded. */
struct loading {
    const char *folder;
    const char *file;
    json_t *modules;  /* [{"name","text"}] */
    json_t *manifest; /* what the host is told of it, without its state */
    size_t count;
    bool passing; /* it could not be loaded for want of time or memory: another time it may */
    struct {
        char *path;
        struct source_mark mark;
    } files[LOAD_FILES_MAX]; /* looked at, whether they are there or not */
};

/* What the host is told of the script FOLDER/FILE, as text, malloc'ed. NULL: no memory. */
char *load_script(const struct banger_host *host, struct banger_call *call, const char *folder,
                  const char *file, const json_t *settings);

/* require() while a script is loaded: pushes the module's function. Raises an error. */
void load_module(lua_State *lua, const char *name);

#endif
