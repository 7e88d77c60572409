/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first executable of that name in PATH, or where distributions and people put theirs: a daemon may
 * have been started with less. */
static bool search_path(const char *name, char *path, size_t size)
{
    const char *folders = getenv("PATH");
    char copy[4096];
    char *rest = NULL;

    (void)snprintf(copy, sizeof(copy), "%s:/usr/bin:/usr/local/bin",
                   folders != NULL ? folders : "");
    for (char *folder = strtok_r(copy, ":", &rest); folder != NULL;
         folder = strtok_r(NULL, ":", &rest)) {
        int length = snprintf(path, size, "%s/%s", folder, name);

        if (folder[0] == '/' && length < (int)size && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static int find(const struct banger_host *host, struct banger_call *call,
                const struct vmm_program *program, char *path, size_t size)
{
    const char *wish = host->get_string(call, "config.binary", "");
    const char *environment = getenv(program->variable);

    if (*wish == '\0' && environment != NULL) {
        wish = environment;
    }
    if (*wish == '\0') {
        if (search_path(program->name, path, size)) {
            return 0;
        }
        host->hint(call, "%s", program->absent_hint);
        return host->fail(call, BANGER_EUNSUPPORTED, "%s is not installed", program->name);
    }
    if (wish[0] != '/' || snprintf(path, size, "%s", wish) >= (int)size) {
        return host->fail(call, BANGER_EINVALID, "the %s program '%.200s' is not an absolute path",
                          program->title, wish);
    }
    if (access(path, X_OK) < 0) {
        host->hint(call, "%s", program->wrong_hint);
        return host->fail(call, BANGER_EUNSUPPORTED, "the %s program %s cannot be executed",
                          program->title, path);
    }
    return 0;
}

int vmm_program_locate(const struct banger_host *host, struct banger_call *call,
                       const struct vmm_program *program, char *path, size_t size,
                       struct stat *file)
{
    if (find(host, call, program, path, size) < 0) {
        return -1;
    }
    return stat(path, file) == 0 ? 0 : host->fail(call, BANGER_EUNSUPPORTED, "%s has gone", path);
}

bool vmm_program_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}
