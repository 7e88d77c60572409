/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout.h"

#include "cleanup.h"
#include "name.h"
#include "str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* make install sets these to where it puts them; a tree that runs in place finds its own. */
#ifndef BANGER_PLUGIN_DIR
#define BANGER_PLUGIN_DIR "/usr/local/lib/banger/plugins"
#endif
#ifndef BANGER_LIBEXEC_DIR
#define BANGER_LIBEXEC_DIR "/usr/local/libexec/banger"
#endif

static void layout_of_root(struct layout *layout)
{
    layout->config_dir = xstrdup("/etc/banger");
    layout->state_dir = xstrdup("/var/lib/banger");
    layout->run_dir = xstrdup("/run/banger");
    layout->cache_dir = xstrdup("/var/cache/banger");
}

static void layout_of_home(struct layout *layout, const char *home)
{
    layout->config_dir = xstrdup(home);
    layout->state_dir = str_format("%s/state", home);
    layout->run_dir = str_format("%s/run", home);
    layout->cache_dir = str_format("%s/cache", home);
}

static char *xdg_dir(const char *variable, const char *home, const char *fallback)
{
    const char *value = getenv(variable);
    if (value != NULL && value[0] == '/') { /* the specification says to ignore relative ones */
        return str_format("%s/banger", value);
    }
    return str_format("%s/%s/banger", home, fallback);
}

static int layout_of_user(struct layout *layout, banger_error *err)
{
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/') {
        (void)error_set(err, BANGER_EINVALID, "HOME is not set to an absolute path");
        return error_hint(err, "set HOME, or BANGER_HOME to a folder of your own");
    }
    layout->config_dir = xdg_dir("XDG_CONFIG_HOME", home, ".config");
    layout->state_dir = xdg_dir("XDG_STATE_HOME", home, ".local/state");
    layout->cache_dir = xdg_dir("XDG_CACHE_HOME", home, ".cache");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    layout->run_dir = runtime != NULL && runtime[0] == '/'
                          ? str_format("%s/banger", runtime)
                          : str_format("%s/run", layout->state_dir);
    return 0;
}

/* build/bin/banger has build/plugins beside it; an installed one does not. */
static void layout_find_programs(struct layout *layout)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        *slash = '\0';
        AUTO_FREE char *plugins = str_format("%s/../plugins", self);
        AUTO_FREE char *agent = str_format("%s/banger-agent", self);
        if (access(plugins, X_OK) == 0 && access(agent, X_OK) == 0) {
            char *resolved = realpath(plugins, NULL);
            layout->plugin_dir = resolved != NULL ? resolved : STEAL(plugins);
            layout->libexec_dir = xstrdup(self);
            return;
        }
    }
    layout->plugin_dir = xstrdup(BANGER_PLUGIN_DIR);
    layout->libexec_dir = xstrdup(BANGER_LIBEXEC_DIR);
}

int layout_load(struct layout *layout, banger_error *err)
{
    *layout = (struct layout){0};
    const char *home = getenv("BANGER_HOME");
    if (home != NULL && home[0] != '\0') {
        if (name_check_path("BANGER_HOME", home, err) < 0) {
            return -1;
        }
        layout_of_home(layout, home);
    } else if (geteuid() == 0) {
        layout_of_root(layout);
    } else if (layout_of_user(layout, err) < 0) {
        return -1;
    }
    layout_find_programs(layout);
    return 0;
}

void layout_free(struct layout *layout)
{
    free(layout->config_dir);
    free(layout->state_dir);
    free(layout->run_dir);
    free(layout->cache_dir);
    free(layout->plugin_dir);
    free(layout->libexec_dir);
    *layout = (struct layout){0};
}

char *layout_config_file(const struct layout *layout)
{
    return str_format("%s/config.lua", layout->config_dir);
}

char *layout_database(const struct layout *layout)
{
    return str_format("%s/banger.db", layout->state_dir);
}

char *layout_control_socket(const struct layout *layout)
{
    return str_format("%s/bangerd.sock", layout->run_dir);
}

char *layout_daemon_log(const struct layout *layout)
{
    return str_format("%s/bangerd.log", layout->state_dir);
}

char *layout_vm_dir(const struct layout *layout, const char *vm_id)
{
    return str_format("%s/vms/%s", layout->state_dir, vm_id);
}

char *layout_vm_run_dir(const struct layout *layout, const char *vm_id)
{
    return str_format("%s/vms/%.*s", layout->run_dir, SHORT_ID_LENGTH, vm_id);
}

char *layout_image_dir(const struct layout *layout, const char *image_id)
{
    return str_format("%s/images/%s", layout->state_dir, image_id);
}

char *layout_kernel_dir(const struct layout *layout, const char *kernel_id)
{
    return str_format("%s/kernels/%s", layout->state_dir, kernel_id);
}
