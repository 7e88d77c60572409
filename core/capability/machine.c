/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/machine_sections.h"

#include <string.h>

struct machine {
    json_t *document;
    json_t *contributions;
};

struct machine *machine_new(void)
{
    struct machine *machine = xcalloc(1, sizeof(*machine));
    machine->document = json_object();
    machine->contributions = json_array();
    return machine;
}

void machine_free(struct machine *machine)
{
    if (machine != NULL) {
        json_decref(machine->document);
        json_decref(machine->contributions);
        free(machine);
    }
}

const json_t *machine_document(const struct machine *machine)
{
    return machine->document;
}

const json_t *machine_contributions(const struct machine *machine)
{
    return machine->contributions;
}

/* Whether a contribution's value holds `expected` under `member`, itself or in one of its items. */
static bool holds(const json_t *value, const char *member, const json_t *expected)
{
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (value, index, item) {
        if (holds(item, member, expected)) {
            return true;
        }
    }
    const json_t *found = json_object_get(value, member);
    return found != NULL && (expected == NULL || json_equal(found, expected));
}

/* Who contributed to the section first; with `member`, who had it there (with that value). */
static const char *who(const struct machine *machine, const char *section, const char *member,
                       const json_t *expected, const char *fallback)
{
    size_t index = 0;
    json_t *row = NULL;
    json_array_foreach (machine->contributions, index, row) {
        if (str_equal(json_get_string(row, "section", NULL), section) &&
            (member == NULL || holds(json_object_get(row, "value"), member, expected))) {
            return json_get_string(row, "by", fallback);
        }
    }
    return fallback; /* both are in the contribution that is being made */
}

static json_t *add_once(const struct machine *machine, const char *contributor,
                        const struct machine_section *section, const json_t *value,
                        banger_error *err)
{
    if (section->check(value, err) < 0) {
        return NULL;
    }
    if (json_at(machine->document, section->name) != NULL) {
        (void)error_set(err, BANGER_EEXISTS, "it was set already, by '%s'",
                        who(machine, section->name, NULL, NULL, contributor));
        return NULL;
    }
    return json_deep_copy(value);
}

/* Appends one item to `list`, if it may lie beside those that are there. */
static int append_item(const struct machine *machine, const char *contributor,
                       const struct machine_section *section, json_t *list, const json_t *item,
                       banger_error *err)
{
    if (section->check(item, err) < 0) {
        return -1;
    }
    const json_t *id = section->identity != NULL ? json_object_get(item, section->identity) : NULL;
    if (id != NULL && holds(list, section->identity, id)) {
        return error_set(err, BANGER_EEXISTS, "the %s '%s' was contributed already, by '%s'",
                         section->identity, str_or(json_string_value(id), "?"),
                         who(machine, section->name, section->identity, id, contributor));
    }
    const json_t *mark = section->single != NULL ? json_object_get(item, section->single) : NULL;
    if (json_is_true(mark) && holds(list, section->single, mark)) {
        return error_set(err, BANGER_EEXISTS, "only one can be '%s', and '%s' contributed one",
                         section->single,
                         who(machine, section->name, section->single, mark, contributor));
    }
    return json_array_append_new(list, json_deep_copy(item));
}

static json_t *add_list(const struct machine *machine, const char *contributor,
                        const struct machine_section *section, const json_t *value,
                        banger_error *err)
{
    const json_t *present = json_at(machine->document, section->name);
    AUTO_JSON json_t *list = present != NULL ? json_copy((json_t *)present) : json_array();
    if (!json_is_array(value)) {
        return append_item(machine, contributor, section, list, value, err) == 0 ? STEAL(list)
                                                                                 : NULL;
    }
    size_t index = 0;
    json_t *item = NULL;
    json_array_foreach (value, index, item) {
        if (append_item(machine, contributor, section, list, item, err) < 0) {
            return NULL;
        }
    }
    return STEAL(list);
}

/* Puts one member into `object`; `object` is ours, the values in it are shared. */
static int merge_member(const struct machine *machine, const char *contributor,
                        const struct machine_section *section, json_t *object, const char *name,
                        const json_t *value, banger_error *err)
{
    const json_t *present = json_object_get(object, name);
    if (present == NULL) {
        return json_object_set_new(object, name, json_deep_copy(value));
    }
    if (!json_is_array(present) || !json_is_array(value)) {
        return error_set(err, BANGER_EEXISTS, "'%s' was set already, by '%s'", name,
                         who(machine, section->name, name, NULL, contributor));
    }
    json_t *longer = json_copy((json_t *)present);
    (void)json_array_extend(longer, (json_t *)value);
    return json_object_set_new(object, name, longer);
}

static json_t *add_merge(const struct machine *machine, const char *contributor,
                         const struct machine_section *section, const json_t *value,
                         banger_error *err)
{
    if (section->check(value, err) < 0) {
        return NULL;
    }
    const json_t *present = json_at(machine->document, section->name);
    AUTO_JSON json_t *object = present != NULL ? json_copy((json_t *)present) : json_object();
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach ((json_t *)value, name, member) {
        if (merge_member(machine, contributor, section, object, name, member, err) < 0) {
            return NULL;
        }
    }
    return STEAL(object);
}

typedef json_t *(*rule_fn)(const struct machine *machine, const char *contributor,
                           const struct machine_section *section, const json_t *value,
                           banger_error *err);

/* Each gives the section's new value and leaves the document alone. */
static const rule_fn rules[] = {
    [MACHINE_ONCE] = add_once,
    [MACHINE_LIST] = add_list,
    [MACHINE_MERGE] = add_merge,
};

int machine_add(struct machine *machine, const char *contributor, const char *section_name,
                const json_t *value, banger_error *err)
{
    const struct machine_section *section = machine_section_find(section_name, err);
    if (section == NULL) {
        return -1;
    }
    json_t *result = rules[section->rule](machine, contributor, section, value, err);
    if (result == NULL) {
        return error_prefix(err, "%s: ", section_name);
    }
    json_put(machine->document, section->name, result);
    return json_array_append_new(machine->contributions,
                                 json_pack("{s:s, s:s, s:o}", "section", section->name, "by",
                                           contributor, "value", json_deep_copy(value)));
}

/* -- The whole machine ---------------------------------------------------------------------------- */

/* "drive.rootfs drive.work nic.eth0": the devices that the machine has. */
static char *device_names(const json_t *document)
{
    static const struct {
        const char *section;
        const char *prefix;
    } kinds[] = {{"drives", "drive"}, {"nics", "nic"}};
    struct buf names = BUF_INIT;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        size_t i = 0;
        json_t *device = NULL;
        json_array_foreach (json_object_get(document, kinds[kind].section), i, device) {
            buf_printf(&names, "%s%s.%s", names.length > 0 ? " " : "", kinds[kind].prefix,
                       json_get_string(device, "id", "?"));
        }
    }
    return buf_steal(&names);
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        if (size == length && memcmp(at, word, length) == 0) {
            return true;
        }
        at += size;
    }
    return false;
}

int machine_check(const struct machine *machine, banger_error *err)
{
    AUTO_FREE char *names = device_names(machine->document);
    const char *device = NULL;
    json_t *limits = NULL;
    json_object_foreach (json_object_get(machine->document, "rate_limits"), device, limits) {
        if (!has_word(names, device)) {
            (void)error_set(err, BANGER_ENOTFOUND,
                            "rate_limits: '%s' limits %s, which this machine does not have",
                            who(machine, "rate_limits", device, NULL, "?"), device);
            return error_hint(err, "it has %s", names);
        }
    }
    return 0;
}
