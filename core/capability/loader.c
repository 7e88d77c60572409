/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loader.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/map.h"
#include "capability/plugin_file.h"
#include "capability/policy.h"

#include <errno.h>
#include <string.h>

#define SUFFIX ".so"

/* Whether the policy of the plugin that is named like the file switches it off: then not even its
 * constructors run. */
static bool file_disabled(const char *path, const json_t *policies)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base) - (str_ends(base, SUFFIX) ? strlen(SUFFIX) : 0);
    AUTO_FREE char *name = str_format("%.*s", (int)length, base);
    return policy_disables(json_object_get(policies, name));
}

static const json_t *policy_of(const struct loader *loader, const char *name)
{
    return json_object_get(loader->policies, name);
}

static int load_isolated(const struct loader *loader, const char *path, struct isolate *isolate,
                         banger_error *err)
{
    const json_t *policy = policy_of(loader, isolate_plugin(isolate)->name);
    return registry_add_isolated(loader->registry, isolate, path, policy, err);
}

/* What the plugin says that it is, from a process of its own. NULL: it failed. */
static struct isolate *open_isolated(const struct loader *loader, const char *target,
                                     banger_error *err)
{
    const struct isolate_limits limits = {.program = loader->isolator};
    struct isolate *isolate = isolate_open(target, &limits, err);
    if (isolate != NULL && descriptor_check(isolate_plugin(isolate), err) < 0) {
        isolate_close(STEAL(isolate));
    }
    return isolate;
}

static bool wants_isolation(const struct banger_plugin *plugin)
{
    return BANGER_HAS(plugin, flags) && (plugin->flags & BANGER_PLUGIN_ISOLATED) != 0;
}

/* `target` is mapped, and stays so unless it is to be elsewhere. */
static int load_here(const struct loader *loader, const char *path, const char *target,
                     bool may_move, banger_error *err)
{
    void *handle = NULL;
    const struct banger_plugin *plugin = map_open(target, &handle, err);
    if (plugin == NULL || descriptor_check(plugin, err) < 0) {
        return -1;
    }
    const json_t *policy = policy_of(loader, plugin->name);
    if (!may_move || policy_disables(policy) || !policy_isolates(policy, wants_isolation(plugin))) {
        return registry_add(loader->registry, plugin, path, policy, err);
    }
    map_drop(handle);
    struct isolate *isolate = open_isolated(loader, target, err);
    return isolate != NULL ? load_isolated(loader, path, isolate, err) : -1;
}

/* A stranger's file is not mapped here before the site has said so, under the plugin's name. */
static int load_elsewhere(const struct loader *loader, const char *path, const char *target,
                          banger_error *err)
{
    struct isolate *isolate = open_isolated(loader, target, err);
    if (isolate == NULL) {
        return -1;
    }
    if (policy_isolates(policy_of(loader, isolate_plugin(isolate)->name), true)) {
        return load_isolated(loader, path, isolate, err);
    }
    isolate_close(isolate);
    return load_here(loader, path, target, false, err);
}

int loader_load_file(const struct loader *loader, const char *path, banger_error *err)
{
    if (file_disabled(path, loader->policies)) {
        return 0;
    }
    AUTO_FREE char *target = plugin_file_find(path, err);
    int result = target == NULL    ? -1
                 : loader->bundled ? load_here(loader, path, target, true, err)
                                   : load_elsewhere(loader, path, target, err);
    return result < 0 ? error_prefix(err, "plugin %s: ", path) : 0;
}

static int is_plugin_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, SUFFIX);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

int loader_load_dir(const struct loader *loader, const char *dir, banger_error *err)
{
    if (plugin_file_check_dir(dir, err) < 0) {
        return error_prefix(err, "plugin folder: ");
    }
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_plugin_file, by_name);
    if (count < 0) {
        return error_sys(err, errno, "cannot list the plugin folder %s", dir);
    }
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (result == 0) {
            AUTO_FREE char *path = str_format("%s/%s", dir, entries[i]->d_name);
            result = loader_load_file(loader, path, err);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}
