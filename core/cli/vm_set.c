/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/vm_spec.h"

#include <stdio.h>

/* null takes a label away: lifecycle/spec.h. */
static int remove_labels(const struct args *args, json_t *params, banger_error *err)
{
    AUTO_JSON json_t *keys = args_array(args, "no-label");
    json_t *labels = json_object_get(params, "labels");
    if (keys != NULL && labels == NULL) {
        labels = json_object();
        (void)json_object_set_new(params, "labels", labels);
    }
    size_t i = 0;
    json_t *key = NULL;
    json_array_foreach (keys, i, key) {
        const char *name = json_string_value(key);
        if (json_object_get(labels, name) != NULL) {
            return error_set(err, BANGER_EINVALID,
                             "label '%s' is both set and removed: give --label or --no-label",
                             name);
        }
        (void)json_object_set_new(labels, name, json_null());
    }
    return 0;
}

int vm_set(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *params = cli_params(cli, "vm");
    vm_spec_common(&cli->args, params);
    const char *nat = args_text(&cli->args, "nat");
    if (nat != NULL) {
        (void)json_object_set_new(params, "nat", json_boolean(str_equal(nat, "on")));
    }
    if (remove_labels(&cli->args, params, err) < 0) {
        return -1;
    }
    if (json_object_size(params) == 1) {
        (void)error_set(err, BANGER_EINVALID, "nothing to change is given");
        return error_hint(err, "'banger vm set --help' lists what can be changed");
    }
    AUTO_JSON json_t *vm = cli_call(cli, "vm.set", STEAL(params), err);
    if (vm == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(vm);
    } else {
        (void)printf("%s\n", vm_name(vm));
    }
    return EXIT_DONE;
}
