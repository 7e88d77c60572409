/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list, show, plan. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/vm_spec.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (INT64_C(1) << 20)

/* "a, b" out of an array of strings; new. */
static char *joined(const json_t *array)
{
    struct buf out = BUF_INIT;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (array, i, item) {
        buf_printf(&out, "%s%s", i == 0 ? "" : ", ", str_or(json_string_value(item), "?"));
    }
    return buf_steal(&out);
}

/* "a=b, c=d" out of an object of strings; new. */
static char *joined_pairs(const json_t *object)
{
    struct buf out = BUF_INIT;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, key, value) {
        buf_printf(&out, "%s%s=%s", out.length == 0 ? "" : ", ", key,
                   str_or(json_string_value(value), ""));
    }
    return buf_steal(&out);
}

static char *mib_text(const json_t *vm, const char *dotted)
{
    int64_t mib = json_get_int(vm, dotted, -1);
    return mib < 0 ? xstrdup("-") : output_size(mib * MIB);
}

static char *uptime_text(const json_t *vm)
{
    int64_t ms = json_get_int(vm, "uptime_ms", -1);
    return ms < 0 ? xstrdup("") : output_duration(ms);
}

static char *state_text(const json_t *vm)
{
    return str_format("%s%s%s", json_get_string(vm, "state", "?"),
                      json_get_bool(vm, "paused", false) ? " (paused)" : "",
                      json_get_bool(vm, "busy", false) ? " (busy)" : "");
}

/* -- list ---------------------------------------------------------------------------------------
 */

/* Takes the VMs out that lack one of the --label pairs. */
static void filter_labels(const struct args *args, json_t *vms)
{
    AUTO_JSON json_t *wanted = args_object(args, "label");
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach (wanted, key, value) {
        for (size_t i = json_array_size(vms); i > 0; i--) {
            const json_t *labels = json_at(json_array_get(vms, i - 1), "spec.labels");
            if (!json_equal(json_object_get(labels, key), value)) {
                (void)json_array_remove(vms, i - 1);
            }
        }
    }
}

static void list_row(struct table *table, const json_t *vm)
{
    AUTO_FREE char *state = state_text(vm);
    AUTO_FREE char *vcpu = str_format("%" PRId64, json_get_int(vm, "spec.vcpu", 0));
    AUTO_FREE char *memory = mib_text(vm, "spec.memory_mib");
    AUTO_FREE char *uptime = uptime_text(vm);
    AUTO_FREE char *addresses = joined(json_object_get(vm, "addresses"));
    table_add(table, (const char *const[]){vm_name(vm), json_get_string(vm, "short_id", NULL),
                                           state, json_get_string(vm, "image.name", NULL), vcpu,
                                           memory, uptime, addresses});
}

int vm_list(struct cli *cli, banger_error *err)
{
    json_t *params =
        json_pack("{s:b, s:b}", "all", args_has(&cli->args, "all"), "brief", !cli->json);
    AUTO_JSON json_t *vms = cli_call(cli, "vm.list", params, err);
    if (vms == NULL) {
        return -1;
    }
    filter_labels(&cli->args, vms);
    if (cli->json) {
        output_json(vms);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"NAME", "ID",     "STATE",  "IMAGE",
                                         "VCPU", "MEMORY", "UPTIME", "ADDRESSES"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *vm = NULL;
    json_array_foreach (vms, i, vm) {
        if (cli->quiet) {
            (void)printf("%s\n", vm_name(vm));
        } else {
            list_row(table, vm);
        }
    }
    if (!cli->quiet) {
        table_print(table);
    }
    table_free(table);
    return EXIT_DONE;
}

/* -- show ---------------------------------------------------------------------------------------
 */

static void show_spec(const json_t *vm)
{
    AUTO_FREE char *vcpu = str_format("%" PRId64, json_get_int(vm, "spec.vcpu", 0));
    AUTO_FREE char *memory = mib_text(vm, "spec.memory_mib");
    AUTO_FREE char *disk = mib_text(vm, "spec.disk_mib");
    AUTO_FREE char *published = joined(json_at(vm, "spec.publish"));
    AUTO_FREE char *labels = joined_pairs(json_at(vm, "spec.labels"));
    AUTO_FREE char *boot_args = joined(json_at(vm, "spec.boot_args"));
    AUTO_FREE char *env = joined(json_at(vm, "spec.env"));
    output_field("vcpu", vcpu);
    output_field("memory", memory);
    output_field("disk", disk);
    const json_t *nat = json_at(vm, "spec.nat"); /* absent: as the network has it */
    output_field("nat", nat == NULL ? NULL : json_is_true(nat) ? "on" : "off");
    output_field("published", published);
    output_field("labels", labels);
    output_field("boot args", boot_args);
    output_field("env", env);
}

static void show_vm(const json_t *vm)
{
    AUTO_FREE char *state = state_text(vm);
    AUTO_FREE char *uptime = uptime_text(vm);
    AUTO_FREE char *addresses = joined(json_object_get(vm, "addresses"));
    AUTO_FREE char *providers = joined_pairs(json_object_get(vm, "providers"));
    int64_t pid_number = json_get_int(vm, "pid", 0);
    AUTO_FREE char *pid = pid_number > 0 ? str_format("%" PRId64, pid_number) : xstrdup("");
    output_field("name", vm_name(vm));
    output_field("id", json_get_string(vm, "id", NULL));
    output_field("state", state);
    output_field("last error", json_get_string(vm, "last_error", NULL));
    output_field("image", json_get_string(vm, "image.name", NULL));
    output_field("kernel", json_get_string(vm, "kernel.name", NULL));
    show_spec(vm);
    output_field("providers", providers);
    output_field("addresses", addresses);
    output_field("pid", pid);
    output_field("uptime", uptime);
    output_field("created", json_get_string(vm, "created", NULL));
    output_field("started", json_get_string(vm, "started", NULL));
    output_field("folder", json_get_string(vm, "dir", NULL));
}

int vm_show(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *vm = cli_call(cli, "vm.show", cli_params(cli, "vm"), err);
    if (vm == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(vm);
    } else {
        show_vm(vm);
    }
    return EXIT_DONE;
}

/* -- plan ---------------------------------------------------------------------------------------
 */

static void show_plan(const json_t *plan)
{
    AUTO_FREE char *providers = joined_pairs(json_object_get(plan, "providers"));
    output_field("providers", providers);
    (void)printf("\n");
    static const char *const titles[] = {"SECTION", "BY", "VALUE"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (json_object_get(plan, "contributions"), i, row) {
        AUTO_FREE char *value = json_text(json_object_get(row, "value"));
        table_add(table, (const char *const[]){json_get_string(row, "section", NULL),
                                               json_get_string(row, "by", NULL), value});
    }
    table_print(table);
    table_free(table);
}

int vm_plan(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *plan = cli_call(cli, "vm.plan", cli_params(cli, "vm"), err);
    if (plan == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(plan);
    } else {
        show_plan(plan);
    }
    return EXIT_DONE;
}
