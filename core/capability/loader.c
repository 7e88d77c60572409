/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loader.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/policy.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".so"

/* Whoever can write to it can run code as us: only root and we ourselves may. */
static int check_owner(const char *path, mode_t type, banger_error *err)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        return error_sys(err, errno, "cannot look at %s", path);
    }
    if ((status.st_mode & S_IFMT) != type) {
        return error_set(err, BANGER_EINVALID, "%s is not a %s", path,
                         type == S_IFDIR ? "folder" : "regular file");
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return error_set(err, BANGER_EPERMISSION,
                         "%s belongs to user %u; plugins must belong to root or to user %u", path,
                         (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)error_set(err, BANGER_EPERMISSION,
                        "%s can be written by others than its owner (mode %04o)", path,
                        (unsigned)(status.st_mode & 07777));
        return error_hint(err, "chmod go-w %s", path);
    }
    return 0;
}

/* The file behind `path`, followed through links, after it and its folder were found safe. A new
 * string or NULL. */
static char *safe_target(const char *path, banger_error *err)
{
    AUTO_FREE char *target = realpath(path, NULL);
    if (target == NULL) {
        (void)error_sys(err, errno, "cannot find %s", path);
        return NULL;
    }
    AUTO_FREE char *copy = xstrdup(target);
    if (check_owner(dirname(copy), S_IFDIR, err) < 0 || check_owner(target, S_IFREG, err) < 0) {
        return NULL;
    }
    return STEAL(target);
}

/* Maps the file, for good: hooks of it may be running whenever we might want to unload it. */
static const struct banger_plugin *open_plugin(const char *path, banger_error *err)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        (void)error_set(err, BANGER_EINVALID, "it cannot be loaded: %s", dlerror());
        return NULL;
    }
    banger_plugin_entry entry = NULL;
    void *symbol = dlsym(handle, BANGER_PLUGIN_SYMBOL);
    memcpy(&entry, &symbol, sizeof(entry)); /* POSIX's way from an object to a function pointer */
    if (entry == NULL) {
        (void)error_set(err, BANGER_EINVALID, "it exports no '%s'", BANGER_PLUGIN_SYMBOL);
        (void)error_hint(err, "define it with BANGER_PLUGIN(&descriptor)");
        return NULL;
    }
    const struct banger_plugin *plugin = entry();
    if (plugin == NULL) {
        (void)error_set(err, BANGER_EINVALID, "its '%s' returned no descriptor",
                        BANGER_PLUGIN_SYMBOL);
    }
    return plugin;
}

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

static int load_file(struct registry *registry, const char *path, const json_t *policies,
                     banger_error *err)
{
    AUTO_FREE char *target = safe_target(path, err);
    const struct banger_plugin *plugin = target != NULL ? open_plugin(target, err) : NULL;
    if (plugin == NULL || descriptor_check(plugin, err) < 0) {
        return -1;
    }
    const json_t *policy = json_object_get(policies, plugin->name);
    return registry_add(registry, plugin, path, policy, err);
}

int loader_load_file(struct registry *registry, const char *path, const json_t *policies,
                     banger_error *err)
{
    if (file_disabled(path, policies)) {
        return 0;
    }
    return load_file(registry, path, policies, err) < 0 ? error_prefix(err, "plugin %s: ", path)
                                                        : 0;
}

static int is_plugin_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, SUFFIX);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

int loader_load_dir(struct registry *registry, const char *dir, const json_t *policies,
                    banger_error *err)
{
    if (check_owner(dir, S_IFDIR, err) < 0) {
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
            result = loader_load_file(registry, path, policies, err);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}
