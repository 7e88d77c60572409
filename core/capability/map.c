/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "map.h"

#include <dlfcn.h>
#include <string.h>

const struct banger_plugin *map_open(const char *path, void **handle, banger_error *err)
{
    void *mapped = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (mapped == NULL) {
        (void)error_set(err, BANGER_EINVALID, "it cannot be loaded: %s", dlerror());
        return NULL;
    }
    if (handle != NULL) {
        *handle = mapped;
    }
    banger_plugin_entry entry = NULL;
    void *symbol = dlsym(mapped, BANGER_PLUGIN_SYMBOL);
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

void map_drop(void *handle)
{
    (void)dlclose(handle);
}
