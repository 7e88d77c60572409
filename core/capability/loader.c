/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loader.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/map.h"
#include "capability/plugin_file.h"
#include "capability/policy.h"

#include <errno.h>
#include <string.h>

#define SUFFIX ".so"
#define BROKEN_NAME_MAX 24 /* with a number behind it still a plugin's */

/* What the file's plugin is called, as a rule. New. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base) - (str_ends(base, SUFFIX) ? strlen(SUFFIX) : 0);
    return str_format("%.*s", (int)length, base);
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

/* A stranger's file is not mapped here before the site has said so, under the plugin's name, which is given
 * as soon as it is known. */
static int load_elsewhere(const struct loader *loader, const char *path, char **name,
                          banger_error *err)
{
    AUTO_FREE char *target = plugin_file_find(path, err);
    struct isolate *isolate = target != NULL ? open_isolated(loader, target, err) : NULL;
    if (isolate == NULL) {
        return -1;
    }
    *name = xstrdup(isolate_plugin(isolate)->name);
    if (policy_isolates(policy_of(loader, *name), true)) {
        return load_isolated(loader, path, isolate, err);
    }
    isolate_close(isolate);
    return load_here(loader, path, target, false, err);
}

/* -- Strangers that cannot be used ---------------------------------------------------------------- */

/* What a plugin could be called that is in this file. New. */
static char *name_of_file(const char *path)
{
    AUTO_FREE char *stem = stem_of(path);
    struct buf name = BUF_INIT;
    for (const char *at = stem; *at != '\0' && name.length < BROKEN_NAME_MAX; at++) {
        char letter = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        bool is_letter = letter >= 'a' && letter <= 'z';
        bool is_digit = letter >= '0' && letter <= '9';
        if (is_letter || name.length > 0) {
            buf_append(&name, is_letter || is_digit ? &letter : "-", 1);
        }
    }
    if (name.length == 0) {
        buf_puts(&name, "plugin");
    }
    return buf_steal(&name);
}

/* One that nothing is called yet. New. */
static char *free_name(const struct registry *registry, char *name)
{
    if (registry_find(registry, name) == NULL) {
        return name;
    }
    AUTO_FREE char *taken = name;
    for (int number = 2;; number++) {
        AUTO_FREE char *other = str_format("%s-%d", taken, number);
        if (registry_find(registry, other) == NULL) {
            return STEAL(other);
        }
    }
}

/* It is there all the same: who looks for it finds the reason, and its policy says what that means. */
static int load_broken(const struct loader *loader, const char *path, const char *name,
                       const banger_error *why, banger_error *err)
{
    bool is_known = name != NULL && registry_find(loader->registry, name) == NULL;
    AUTO_FREE char *called =
        free_name(loader->registry, is_known ? xstrdup(name) : name_of_file(path));
    log_error("%s; '%s' is broken", why->message, called);
    return registry_add_broken(loader->registry, called, path, policy_of(loader, called), why, err);
}

static int load_strange(const struct loader *loader, const char *path, banger_error *err)
{
    AUTO_FREE char *name = NULL;
    banger_error why = BANGER_ERROR_INIT;
    if (load_elsewhere(loader, path, &name, &why) == 0) {
        return 0;
    }
    (void)error_prefix(&why, "plugin %s: ", path);
    return load_broken(loader, path, name, &why, err);
}

/* -- Files and folders ---------------------------------------------------------------------------- */

static int load_bundled(const struct loader *loader, const char *path, banger_error *err)
{
    AUTO_FREE char *target = plugin_file_find(path, err);
    return target != NULL && load_here(loader, path, target, true, err) == 0
               ? 0
               : error_prefix(err, "plugin %s: ", path);
}

int loader_load_file(const struct loader *loader, const char *path, banger_error *err)
{
    registry_set_strangers(loader->registry, !loader->bundled);
    AUTO_FREE char *stem = stem_of(path);
    if (policy_disables(policy_of(loader, stem))) {
        return 0; /* then not even its constructors run */
    }
    return loader->bundled ? load_bundled(loader, path, err) : load_strange(loader, path, err);
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
