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

#define SITE_DIR "/etc/banger"

static void layout_of_root(struct layout *layout)
{
    layout->config_dir = xstrdup(SITE_DIR);
    layout->site_dir = xstrdup(SITE_DIR);
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
    layout->site_dir = xstrdup(SITE_DIR);
    layout->state_dir = xdg_dir("XDG_STATE_HOME", home, ".local/state");
    layout->cache_dir = xdg_dir("XDG_CACHE_HOME", home, ".cache");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    layout->run_dir = runtime != NULL && runtime[0] == '/'
                          ? str_format("%s/banger", runtime)
                          : str_format("%s/run", layout->state_dir);
    return 0;
}

/* Where the other parts lie, seen from the folder of the running program. Nothing is compiled in, so
 * that a tree can be moved, packed and installed under any prefix. */
static const struct place {
    const char *plugins;
    const char *libexec;
    const char *share;
} places[] = {
    {"../plugins", ".", "../share"},                                   /* build/bin/, in place */
    {"../lib/banger/plugins", "../libexec/banger", "../share/banger"}, /* PREFIX/bin/banger */
    {"../../lib/banger/plugins", ".", "../../share/banger"}, /* PREFIX/libexec/banger/bangerd */
};

/* The folder, when it is one; a new string or NULL. */
static char *resolve_folder(const char *base, const char *relative)
{
    AUTO_FREE char *path = str_format("%s/%s", base, relative);
    return realpath(path, NULL);
}

static int layout_find_programs(struct layout *layout, banger_error *err)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0) {
        return error_sys(err, errno, "cannot tell where this program lies");
    }
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        AUTO_FREE char *plugins = resolve_folder(self, places[i].plugins);
        AUTO_FREE char *libexec = resolve_folder(self, places[i].libexec);
        if (plugins != NULL && libexec != NULL) {
            layout->plugin_dir = STEAL(plugins);
            layout->libexec_dir = STEAL(libexec);
            layout->share_dir = resolve_folder(self, places[i].share);
            return 0;
        }
    }
    /* A program that is neither (a test): its own folder, where nothing of ours will be found. */
    layout->plugin_dir = str_format("%s/plugins", self);
    layout->libexec_dir = xstrdup(self);
    return 0;
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
    return layout_find_programs(layout, err);
}

void layout_free(struct layout *layout)
{
    free(layout->config_dir);
    free(layout->site_dir);
    free(layout->state_dir);
    free(layout->run_dir);
    free(layout->cache_dir);
    free(layout->plugin_dir);
    free(layout->libexec_dir);
    free(layout->share_dir);
    *layout = (struct layout){0};
}

json_t *layout_describe(const struct layout *layout)
{
    return json_pack("{s:s, s:s, s:s, s:s*}", "state_dir", layout->state_dir, "run_dir",
                     layout->run_dir, "config_dir", layout->config_dir, "site_dir",
                     layout->site_dir);
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

char *layout_plugin_program(const struct layout *layout)
{
    return str_format("%s/banger-plugin", layout->libexec_dir);
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
