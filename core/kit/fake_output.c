/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin adds, and what it writes into its journal. */
#include "fake.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* -- Output -- */

int fake_contribute(struct banger_call *call, const char *section, const char *json)
{
    struct fake_host *fake = fake_of(call);
    json_t *list = json_object_get(fake->contributions, section);
    json_t *value;

    if (fake->hook != NULL && strncmp(fake->hook, "contribute", strlen("contribute")) != 0) {
        return fake_refuse(call, BANGER_EINTERNAL, "contribute is not allowed in %s", fake->hook);
    }
    value = fake_parse(call, section, json);
    if (value == NULL) {
        return -1;
    }
    if (list == NULL) {
        list = json_array();
        json_object_set_new(fake->contributions, section, list);
    }
    fake_note(fake, "contribute", json_pack("[s, O]", section, value), NULL);
    json_array_append_new(list, value);
    return 0;
}

int fake_set_json(struct banger_call *call, const char *key, const char *json)
{
    struct fake_host *fake = fake_of(call);
    const char *name =
        json_string_value(json_object_get(json_object_get(fake->input, "self"), "name"));
    json_t *value = fake_need_effects(call, "set_json") < 0 ? NULL : fake_parse(call, key, json);
    char dotted[256];

    if (value == NULL) {
        return -1;
    }
    fake_note(fake, "set_json", json_pack("[s, O]", key, value), NULL);
    if (name != NULL) {
        (void)snprintf(dotted, sizeof(dotted), "runtime.%s.%s", name, key);
        fake_host_set(fake, dotted, json_incref(value));
    }
    return json_object_set_new(fake->stored, key, value);
}

int fake_emit(struct banger_call *call, const char *name, const char *json)
{
    json_t *data = fake_need_effects(call, "emit") < 0 ? NULL : fake_parse(call, name, json);

    if (data == NULL) {
        return -1;
    }
    fake_note(fake_of(call), "emit", json_pack("[s, O]", name, data), NULL);
    return json_array_append_new(fake_of(call)->events,
                                 json_pack("{s:s, s:o}", "name", name, "data", data));
}

int fake_provide(struct banger_call *call, const char *json)
{
    json_t *value = fake_parse(call, "what is provided", json);
    const char *name = json_string_value(json_object_get(value, "name"));

    if (value != NULL && name == NULL) {
        json_decref(value);
        return fake_refuse(call, BANGER_EINTERNAL, "provide: there is no name");
    }
    return value == NULL ? -1 : json_array_append_new(fake_of(call)->provided, value);
}

/* -- The journal -- */

int64_t fake_resource_intend(struct banger_call *call, const char *kind, const char *key,
                             const char *attrs)
{
    struct fake_host *fake = fake_of(call);
    json_t *value = fake_need_effects(call, "resource_intend") < 0
                        ? NULL
                        : fake_parse(call, "the attributes", attrs != NULL ? attrs : "{}");
    json_int_t id = fake->next_resource + 1;

    if (value == NULL) {
        return -1;
    }
    fake->next_resource = id;
    fake_note(fake, "resource_intend", json_pack("[s, s, O]", kind, key, value), json_integer(id));
    /* Newest first, as a plugin gets them in cleanup. */
    json_array_insert_new(fake->resources, 0,
                          json_pack("{s:I, s:s, s:s, s:o, s:s}", "id", id, "kind", kind, "key", key,
                                    "attrs", value, "state", "intent"));
    return id;
}

static size_t find_resource(struct fake_host *fake, int64_t id)
{
    size_t i;
    json_t *row;

    json_array_foreach (fake->resources, i, row) {
        if (json_integer_value(json_object_get(row, "id")) == id) {
            return i;
        }
    }
    return SIZE_MAX;
}

int fake_resource_held(struct banger_call *call, int64_t id, const char *attrs)
{
    struct fake_host *fake = fake_of(call);
    json_t *row = json_array_get(fake->resources, find_resource(fake, id));

    if (row == NULL) {
        return fake_refuse(call, BANGER_ENOTFOUND, "no resource %lld", (long long)id);
    }
    if (attrs != NULL &&
        json_object_set_new(row, "attrs", fake_parse(call, "the attributes", attrs))) {
        return -1;
    }
    fake_note(fake, "resource_held", json_pack("[I]", (json_int_t)id), NULL);
    return json_object_set_new(row, "state", json_string("held"));
}

int fake_resource_gone(struct banger_call *call, int64_t id)
{
    struct fake_host *fake = fake_of(call);

    if (json_array_remove(fake->resources, find_resource(fake, id)) < 0) {
        return fake_refuse(call, BANGER_ENOTFOUND, "no resource %lld", (long long)id);
    }
    fake_note(fake, "resource_gone", json_pack("[I]", (json_int_t)id), NULL);
    return 0;
}
