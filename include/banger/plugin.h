/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptor: what a plugin is. A plugin is one shared object that exports one symbol:
 *
 *     static const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = "hostname", ...};
 *     BANGER_PLUGIN(&plugin)
 *
 * Everything it points at must live as long as the process: the host never calls dlclose.
 */
#ifndef BANGER_PLUGIN_H
#define BANGER_PLUGIN_H

#include "config.h"
#include "hooks.h"
#include "provider.h"

#ifdef __cplusplus
extern "C" {
#endif

struct banger_plugin {
    uint32_t magic;     /* BANGER_ABI_MAGIC */
    uint16_t abi_major; /* BANGER_ABI_MAJOR */
    uint16_t abi_minor; /* BANGER_ABI_MINOR */
    uint32_t size;      /* sizeof(struct banger_plugin) */

    const char *name;    /* [a-z][a-z0-9-]*, at most 31 bytes; unique among all that is loaded */
    const char *version; /* the plugin's own, for people */
    const char *summary; /* one line */
    const char *license; /* an SPDX expression */

    /* NULL-terminated names of capabilities; NULL: none. A name that is not loaded is an error,
     * except with a '?' behind it ("nat?"): then the order holds only where that one is loaded. */
    const char *const *after;
    const char *const *before;

    const struct banger_config_key *config; /* config_count rows */
    size_t config_count;

    /* A plugin has hooks, or one provider table, or both. */
    const struct banger_hooks *hooks;
    const struct banger_vmm *vmm;
    const struct banger_rootfs *rootfs;
    const struct banger_network *network;

    /* Optional: once after loading, before any hook; once before the daemon ends. `start` may
     * refuse (then the load fails and nothing of the plugin is registered). */
    banger_hook start;
    banger_hook stop;

    /* -- Since ABI 1.2 ----------------------------------------------------------------------------- */

    /* Optional; for a plugin that carries capabilities of others' making, which it finds while the
     * daemon runs: scripts. Called before every operation and wherever capabilities are listed, says by
     * host->provide which there are now, all of them each time, and changes nothing. Each is a capability
     * like any other, with a name, an order, a policy and configuration keys of its own. Its hooks are
     * those of this plugin's table `hooks`, which are called for what is carried and never for the plugin
     * itself: the getter keys `self.*` say for which. */
    banger_hook expand;
    uint32_t flags; /* enum banger_plugin_flag, or-ed */
};

enum banger_plugin_flag {
    /* Runs in a process of its own wherever the site does not say `isolate = false`: it runs code that
     * may crash or hang. (Plugins outside the bundled folder do so anyway.) */
    BANGER_PLUGIN_ISOLATED = 1,
};

/* The first fields of every descriptor, as this header defines them. */
#define BANGER_PLUGIN_HEADER                                                                       \
    .magic = BANGER_ABI_MAGIC, .abi_major = BANGER_ABI_MAJOR, .abi_minor = BANGER_ABI_MINOR,       \
    .size = sizeof(struct banger_plugin)

/* The exported symbol's name and type. */
#define BANGER_PLUGIN_SYMBOL "banger_plugin_v1"
typedef const struct banger_plugin *(*banger_plugin_entry)(void);

/* Defines the entry symbol. */
#ifdef __cplusplus
#define BANGER_PLUGIN_LINKAGE extern "C"
#else
#define BANGER_PLUGIN_LINKAGE
#endif

#define BANGER_PLUGIN(descriptor)                                                                  \
    BANGER_PLUGIN_LINKAGE BANGER_EXPORT const struct banger_plugin *banger_plugin_v1(void);        \
    BANGER_PLUGIN_LINKAGE const struct banger_plugin *banger_plugin_v1(void)                       \
    {                                                                                              \
        return (descriptor);                                                                       \
    }

#ifdef __cplusplus
}
#endif

#endif
