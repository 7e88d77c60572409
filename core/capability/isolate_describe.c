/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate_describe.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "capability/isolate_wire.h"

#include <string.h>

#define TEXT_MAX 4096
#define NAMES_MAX 256
#define KEYS_MAX 256

struct isolate_description {
    struct banger_plugin plugin; /* points at what follows */
    struct banger_hooks hooks;
    struct banger_vmm vmm;
    struct banger_rootfs rootfs;
    struct banger_network network;
    struct banger_config_key *keys;
    const char **lists[5]; /* of texts that the message owns: after, before, one a provider */
    size_t list_count;
    json_t *message;
};

/* -- Stand-ins for functions ---------------------------------------------------------------------- */

static int not_here(const struct banger_host *host, struct banger_call *call,
                    enum wire_function function)
{
    return host->fail(call, BANGER_EINTERNAL, "%s is in another process",
                      wire_function_name(function));
}

/* Each has an address of its own: that is all there is to it. */
#define STAND_IN(table, function)                                                                  \
    static int in_##table##_##function(const struct banger_host *host, struct banger_call *call)   \
    {                                                                                              \
        return not_here(host, call, WIRE_##table##_##function);                                    \
    }
WIRE_FUNCTIONS(STAND_IN)
#undef STAND_IN

static const banger_hook stand_ins[WIRE_FUNCTION_COUNT] = {
#define STAND_IN(table, function) [WIRE_##table##_##function] = in_##table##_##function,
    WIRE_FUNCTIONS(STAND_IN)
#undef STAND_IN
};

int isolate_function(banger_hook function)
{
    for (int i = 0; i < WIRE_FUNCTION_COUNT; i++) {
        if (stand_ins[i] == function) {
            return i;
        }
    }
    return -1;
}

/* -- Reading -------------------------------------------------------------------------------------- */

static int broken(const char *what, banger_error *err)
{
    return error_set(err, BANGER_EINTERNAL, "its process describes it wrongly: '%s'", what);
}

/* Absent, or null: NULL. */
static int read_text(const json_t *object, const char *name, const char **text, banger_error *err)
{
    const json_t *value = json_object_get(object, name);
    *text = json_string_value(value);
    bool good = value == NULL || json_is_null(value) ||
                (json_is_string(value) && json_string_length(value) <= TEXT_MAX);
    return good ? 0 : broken(name, err);
}

static int read_number(const json_t *object, const char *name, int64_t least, int64_t most,
                       int64_t *number, banger_error *err)
{
    const json_t *value = json_object_get(object, name);
    *number = json_integer_value(value);
    bool good = value == NULL || (json_is_integer(value) && *number >= least && *number <= most);
    return good ? 0 : broken(name, err);
}

static int read_names(struct isolate_description *own, const json_t *object, const char *name,
                      const char *const **names, banger_error *err)
{
    const json_t *list = json_object_get(object, name);
    size_t count = json_array_size(list);
    if (list == NULL) {
        return 0;
    }
    if (!json_is_array(list) || count > NAMES_MAX || own->list_count == COUNT_OF(own->lists)) {
        return broken(name, err);
    }
    const char **texts = xcalloc(count + 1, sizeof(*texts));
    own->lists[own->list_count++] = texts;
    for (size_t i = 0; i < count; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (texts[i] == NULL || strlen(texts[i]) > TEXT_MAX) {
            return broken(name, err);
        }
    }
    *names = texts;
    return 0;
}

static int read_key(const json_t *row, struct banger_config_key *key, banger_error *err)
{
    int64_t type = 0;
    if (!json_is_object(row) ||
        read_number(row, "type", BANGER_CONFIG_STRING, BANGER_CONFIG_JSON, &type, err) < 0 ||
        type == 0) {
        return broken("config", err);
    }
    key->size = sizeof(*key);
    key->type = (enum banger_config_type)type;
    if (read_text(row, "name", &key->name, err) < 0 ||
        read_text(row, "default", &key->default_value, err) < 0 ||
        read_text(row, "help", &key->help, err) < 0 ||
        read_number(row, "minimum", INT64_MIN, INT64_MAX, &key->minimum, err) < 0) {
        return -1;
    }
    return read_number(row, "maximum", INT64_MIN, INT64_MAX, &key->maximum, err);
}

static int read_keys(struct isolate_description *own, banger_error *err)
{
    const json_t *rows = json_object_get(own->message, "config");
    size_t count = json_array_size(rows);
    if (rows != NULL && (!json_is_array(rows) || count > KEYS_MAX)) {
        return broken("config", err);
    }
    own->keys = xcalloc(count + 1, sizeof(*own->keys));
    for (size_t i = 0; i < count; i++) {
        if (read_key(json_array_get(rows, i), &own->keys[i], err) < 0) {
            return -1;
        }
    }
    own->plugin.config = own->keys;
    own->plugin.config_count = count;
    return 0;
}

static int read_identity(struct isolate_description *own, banger_error *err)
{
    struct banger_plugin *plugin = &own->plugin;
    const json_t *message = own->message;
    int64_t minor = 0;
    int64_t flags = 0;
    if (read_text(message, "name", &plugin->name, err) < 0 ||
        read_text(message, "version", &plugin->version, err) < 0 ||
        read_text(message, "summary", &plugin->summary, err) < 0 ||
        read_text(message, "license", &plugin->license, err) < 0 ||
        read_number(message, "abi_minor", 0, UINT16_MAX, &minor, err) < 0 ||
        read_number(message, "flags", 0, UINT32_MAX, &flags, err) < 0 ||
        read_names(own, message, "after", &plugin->after, err) < 0 ||
        read_names(own, message, "before", &plugin->before, err) < 0) {
        return -1;
    }
    plugin->magic = BANGER_ABI_MAGIC; /* the child has looked at the plugin's own */
    plugin->abi_major = BANGER_ABI_MAJOR;
    plugin->abi_minor = (uint16_t)minor;
    plugin->size = sizeof(*plugin);
    plugin->flags = (uint32_t)flags;
    return 0;
}

/* A provider's rank and list of names; the table is the plugin's when it is described at all. */
static int read_provider(struct isolate_description *own, const char *name, const char *names_name,
                         int32_t *rank, const char *const **names, bool *there, banger_error *err)
{
    const json_t *table = json_object_get(own->message, name);
    int64_t number = 0;
    *there = table != NULL;
    if (table != NULL && !json_is_object(table)) {
        return broken(name, err);
    }
    if (read_number(table, "rank", INT32_MIN, INT32_MAX, &number, err) < 0 ||
        read_names(own, table, names_name, names, err) < 0) {
        return -1;
    }
    *rank = (int32_t)number;
    return 0;
}

static int read_tables(struct isolate_description *own, banger_error *err)
{
    struct banger_plugin *plugin = &own->plugin;
    bool there = json_is_object(json_object_get(own->message, "hooks"));
    own->hooks.size = sizeof(own->hooks);
    own->vmm.size = sizeof(own->vmm);
    own->rootfs.size = sizeof(own->rootfs);
    own->network.size = sizeof(own->network);
    plugin->hooks = there ? &own->hooks : NULL;
    if (read_provider(own, "vmm", "features", &own->vmm.rank, &own->vmm.features, &there, err) <
        0) {
        return -1;
    }
    plugin->vmm = there ? &own->vmm : NULL;
    if (read_provider(own, "rootfs", "needs", &own->rootfs.rank, &own->rootfs.needs, &there, err) <
        0) {
        return -1;
    }
    plugin->rootfs = there ? &own->rootfs : NULL;
    if (read_provider(own, "network", "needs", &own->network.rank, &own->network.needs, &there,
                      err) < 0) {
        return -1;
    }
    plugin->network = there ? &own->network : NULL;
    return 0;
}

/* Puts the stand-ins where the plugin has functions. */
static int read_functions(struct isolate_description *own, banger_error *err)
{
    const json_t *list = json_object_get(own->message, "functions");
    size_t index = 0;
    json_t *name = NULL;
    json_array_foreach (list, index, name) {
        const char *text = json_string_value(name);
        int function = text != NULL ? wire_function_find(text) : -1;
        banger_hook *place =
            function >= 0 ? wire_function_place(&own->plugin, (enum wire_function)function) : NULL;
        if (place == NULL) {
            return broken("functions", err);
        }
        *place = stand_ins[function];
    }
    return 0;
}

/* -- The whole ------------------------------------------------------------------------------------ */

/* What the child says instead when it could not load the plugin. */
static int told_error(const json_t *error, banger_error *err)
{
    const char *message = NULL;
    const char *hint = NULL;
    int64_t code = 0;
    if (read_text(error, "message", &message, err) < 0 ||
        read_text(error, "hint", &hint, err) < 0 ||
        read_number(error, "code", BANGER_EINVALID, BANGER_EINTERNAL, &code, err) < 0) {
        return -1;
    }
    (void)error_set(err, code != 0 ? (enum banger_code)code : BANGER_EINTERNAL, "%s",
                    str_or(message, "it cannot be loaded"));
    return str_or(hint, "")[0] != '\0' ? error_hint(err, "%s", hint) : -1;
}

struct isolate_description *isolate_description_new(json_t *message, banger_error *err)
{
    const json_t *error = json_object_get(message, "error");
    if (error != NULL) {
        (void)told_error(error, err);
        return NULL;
    }
    if (!json_is_object(message)) {
        (void)broken("descriptor", err);
        return NULL;
    }
    struct isolate_description *own = xcalloc(1, sizeof(*own));
    own->message = json_incref(message);
    if (read_identity(own, err) < 0 || read_keys(own, err) < 0 || read_tables(own, err) < 0 ||
        read_functions(own, err) < 0) {
        isolate_description_free(own);
        return NULL;
    }
    return own;
}

void isolate_description_free(struct isolate_description *description)
{
    if (description == NULL) {
        return;
    }
    for (size_t i = 0; i < description->list_count; i++) {
        free(description->lists[i]);
    }
    free(description->keys);
    json_decref(description->message);
    free(description);
}

const struct banger_plugin *
isolate_description_plugin(const struct isolate_description *description)
{
    return &description->plugin;
}

bool isolate_description_equal(const struct isolate_description *a,
                               const struct isolate_description *b)
{
    return json_equal(a->message, b->message);
}
