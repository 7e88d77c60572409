/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "descriptor.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

static int check_identity(const struct banger_plugin *given, banger_error *err)
{
    if (given->magic != BANGER_ABI_MAGIC) {
        return error_set(err, BANGER_EINVALID,
                         "it is no banger plugin: its magic is 0x%08" PRIx32 ", not 0x%08" PRIx32,
                         given->magic, BANGER_ABI_MAGIC);
    }
    if (given->abi_major != BANGER_ABI_MAJOR) {
        (void)error_set(err, BANGER_EUNSUPPORTED,
                        "it was built for ABI %u, and this banger has ABI %u",
                        (unsigned)given->abi_major, (unsigned)BANGER_ABI_MAJOR);
        return error_hint(err, "build the plugin with the headers of banger %s", BANGER_VERSION);
    }
    return 0;
}

/* What a compiler can have given for a struct of pointers: whole words, and more than the size
 * itself. */
static int check_size(const char *what, uint32_t size, size_t least, banger_error *err)
{
    if (size < least || size % _Alignof(void *) != 0) {
        return error_set(err, BANGER_EINVALID,
                         "its %s states a size of %" PRIu32
                         " bytes; at least %zu, in whole words, are needed",
                         what, size, least);
    }
    return 0;
}

int descriptor_check_name(const char *name, banger_error *err)
{
    return name_check_plugin("name of a plugin", str_or(name, ""), err);
}

/* Functions that a provider cannot do without. */
struct required {
    const char *name;
    size_t offset;
};

static const struct required vmm_required[] = {
    {"check", offsetof(struct banger_vmm, check)},
    {"launch", offsetof(struct banger_vmm, launch)},
    {"request_stop", offsetof(struct banger_vmm, request_stop)},
    {NULL, 0},
};
static const struct required rootfs_required[] = {
    {"check", offsetof(struct banger_rootfs, check)},
    {"create", offsetof(struct banger_rootfs, create)},
    {"contribute", offsetof(struct banger_rootfs, contribute)},
    {NULL, 0},
};
static const struct required network_required[] = {
    {"check", offsetof(struct banger_network, check)},
    {"contribute", offsetof(struct banger_network, contribute)},
    {NULL, 0},
};
static const struct required hooks_required[] = {{NULL, 0}};

/* Copies the part of a table that both sides know. Every table begins with its size. */
static int adopt_table(const char *what, const void *given, void *own, size_t own_size,
                       const struct required *required, banger_error *err)
{
    uint32_t size = *(const uint32_t *)given;
    if (check_size(what, size, 2 * sizeof(void *), err) < 0) {
        return -1;
    }
    memcpy(own, given, size < own_size ? size : own_size);
    *(uint32_t *)own = (uint32_t)own_size;
    for (; required->name != NULL; required++) {
        banger_hook function = NULL;
        memcpy(&function, (const char *)own + required->offset, sizeof(function));
        if (function == NULL) {
            return error_set(err, BANGER_EINVALID, "its %s has no '%s'", what, required->name);
        }
    }
    return 0;
}

static int adopt_tables(struct descriptor *own, banger_error *err)
{
    struct banger_plugin *plugin = &own->plugin;
    int providers = (plugin->vmm != NULL) + (plugin->rootfs != NULL) + (plugin->network != NULL);
    if (providers > 1) {
        return error_set(err, BANGER_EINVALID,
                         "it has %d provider tables; a plugin may have one of vmm, rootfs, network",
                         providers);
    }
    if (providers == 0 && plugin->hooks == NULL) {
        return error_set(err, BANGER_EINVALID, "it offers neither hooks nor a provider");
    }
#define ADOPT(table, what)                                                                         \
    if (plugin->table != NULL) {                                                                   \
        if (adopt_table(what, plugin->table, &own->table, sizeof(own->table), table##_required,    \
                        err) < 0) {                                                                \
            return -1;                                                                             \
        }                                                                                          \
        plugin->table = &own->table;                                                               \
    }
    ADOPT(hooks, "table of hooks")
    ADOPT(vmm, "vmm provider")
    ADOPT(rootfs, "rootfs provider")
    ADOPT(network, "network provider")
#undef ADOPT
    return 0;
}

/* The rows lie as far apart as the plugin's own struct is long. */
static int adopt_keys(struct descriptor *own, banger_error *err)
{
    size_t count = own->plugin.config != NULL ? own->plugin.config_count : 0;
    own->plugin.config_count = count;
    if (count == 0) {
        own->plugin.config = NULL;
        return 0;
    }
    uint32_t stride = own->plugin.config->size;
    if (check_size("configuration key", stride,
                   offsetof(struct banger_config_key, help) + sizeof(char *), err) < 0) {
        return -1;
    }
    own->keys = xcalloc(count, sizeof(*own->keys));
    const char *row = (const char *)own->plugin.config;
    for (size_t i = 0; i < count; i++, row += stride) {
        if (*(const uint32_t *)row != stride) {
            return error_set(err, BANGER_EINVALID,
                             "its configuration keys have rows of different sizes");
        }
        memcpy(&own->keys[i], row, stride < sizeof(*own->keys) ? stride : sizeof(*own->keys));
        own->keys[i].size = sizeof(*own->keys);
    }
    own->plugin.config = own->keys;
    return 0;
}

int descriptor_check(const struct banger_plugin *given, banger_error *err)
{
    size_t least = offsetof(struct banger_plugin, name) + sizeof(given->name);
    if (check_identity(given, err) < 0 || check_size("descriptor", given->size, least, err) < 0) {
        return -1;
    }
    return descriptor_check_name(given->name, err);
}

int descriptor_adopt(const struct banger_plugin *given, struct descriptor *own, banger_error *err)
{
    memset(own, 0, sizeof(*own));
    if (descriptor_check(given, err) < 0) {
        return -1;
    }
    memcpy(&own->plugin, given,
           given->size < sizeof(own->plugin) ? given->size : sizeof(own->plugin));
    own->plugin.size = sizeof(own->plugin);
    own->plugin.version = str_or(own->plugin.version, "");
    own->plugin.summary = str_or(own->plugin.summary, "");
    own->plugin.license = str_or(own->plugin.license, "");
    if (adopt_tables(own, err) < 0 || adopt_keys(own, err) < 0) {
        descriptor_clear(own);
        return -1;
    }
    return 0;
}

void descriptor_strip(struct descriptor *own, const char *name)
{
    char *copy = xstrdup(name);
    const struct banger_plugin whole = own->plugin;
    descriptor_clear(own);
    own->name = copy;
    own->plugin = (struct banger_plugin){
        BANGER_PLUGIN_HEADER,
        .name = copy,
        .version = str_or(whole.version, ""),
        .summary = str_or(whole.summary, ""),
        .license = str_or(whole.license, ""),
    };
}

void descriptor_clear(struct descriptor *own)
{
    free(own->keys);
    free(own->after);
    free(own->before);
    free(own->name);
    own->keys = NULL;
    own->after = NULL;
    own->before = NULL;
    own->name = NULL;
}
