/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm_spec.h"

#include "base/json.h"

/* An option's place in the parameters, by how its text is turned into JSON. */
struct spec_row {
    const char *option;
    const char *key;
    json_t *(*value)(const struct args *args, const char *option); /* NULL: not given */
};

static json_t *as_text(const struct args *args, const char *option)
{
    const char *text = args_text(args, option);
    return text != NULL ? json_string(text) : NULL;
}

static json_t *as_number(const struct args *args, const char *option)
{
    const char *text = args_text(args, option);
    return text != NULL ? json_integer(value_number(text)) : NULL;
}

static json_t *as_mib(const struct args *args, const char *option)
{
    const char *text = args_text(args, option);
    return text != NULL ? json_integer(value_mib(text)) : NULL;
}

static json_t *as_true(const struct args *args, const char *option)
{
    return args_has(args, option) ? json_true() : NULL;
}

static const struct spec_row common_rows[] = {
    {"vcpu", "vcpu", as_number},       {"memory", "memory_mib", as_mib},
    {"disk-size", "disk_mib", as_mib}, {"publish", "publish", args_array},
    {"label", "labels", args_object},  {0},
};

static const struct spec_row new_rows[] = {
    {"name", "name", as_text},
    {"image", "image", as_text},
    {"kernel", "kernel", as_text},
    {"vmm", "vmm", as_text},
    {"rootfs-driver", "rootfs", as_text},
    {"network", "network", as_text},
    {"nat", "nat", as_true},
    {"env", "env", args_array},
    {"boot-arg", "boot_args", args_array},
    {0},
};

static void add_rows(const struct spec_row *row, const struct args *args, json_t *params)
{
    for (; row->option != NULL; row++) {
        json_t *value = row->value(args, row->option);
        if (value != NULL) {
            (void)json_object_set_new(params, row->key, value);
        }
    }
}

void vm_spec_common(const struct args *args, json_t *params)
{
    add_rows(common_rows, args, params);
}

json_t *vm_spec(const struct args *args)
{
    json_t *params = json_object();
    add_rows(new_rows, args, params);
    add_rows(common_rows, args, params);
    return params;
}

const char *vm_name(const json_t *vm)
{
    return json_get_string(vm, "name", "?");
}
