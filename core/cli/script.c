/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "script.h"

#include "base/cleanup.h"
#include "base/layout.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>

static int open_host(struct trial *trial, banger_error *err)
{
    struct layout layout;
    if (layout_load(&layout, err) < 0) {
        return -1;
    }
    AUTO_FREE char *path = str_format("%s/lua.so", layout.plugin_dir);
    layout_free(&layout);
    return trial_open(trial, path, err) < 0 ? error_prefix(err, "the Lua host: ") : 0;
}

int script_open(struct trial *trial, const char *file, const json_t *policy,
                const json_t *host_policy, banger_error *err)
{
    AUTO_FREE char *path = realpath(file, NULL);
    if (path == NULL) {
        return error_sys(err, errno, "cannot find %s", file);
    }
    if (open_host(trial, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *input = json_pack("{s:{s:s}}", "trial", "script", path);
    if (trial_configure(trial, host_policy, err) < 0 ||
        trial_carry(trial, input, path, policy, err) < 0) {
        trial_close(trial);
        return -1;
    }
    return 0;
}
