/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats and ports: what the guest says of itself. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/vm_spec.h"

#include <inttypes.h>
#include <stdio.h>

/* -- stats --------------------------------------------------------------------------------------
 */

/* "120M / 256M" out of {"total", FREE}, or "-"; new. */
static char *used_of_total(const json_t *part, const char *free_key)
{
    int64_t total = json_get_int(part, "total", -1);
    int64_t unused = json_get_int(part, free_key, -1);
    if (total < 0 || unused < 0 || unused > total) {
        return xstrdup("-");
    }
    AUTO_FREE char *used_text = output_size(total - unused);
    AUTO_FREE char *total_text = output_size(total);
    return str_format("%s / %s", used_text, total_text);
}

static char *first_load(const json_t *stats)
{
    const json_t *load = json_array_get(json_object_get(stats, "load"), 0);
    return json_is_number(load) ? str_format("%.2f", json_number_value(load)) : xstrdup("-");
}

static char *optional_number(const json_t *stats, const char *key)
{
    int64_t value = json_get_int(stats, key, -1);
    return value < 0 ? xstrdup("-") : str_format("%" PRId64, value);
}

static char *optional(const json_t *stats, const char *key, char *(*format)(int64_t value))
{
    int64_t value = json_get_int(stats, key, -1);
    return value < 0 ? xstrdup("-") : format(value);
}

static void stats_row(struct table *table, const json_t *stats)
{
    AUTO_FREE char *uptime = optional(stats, "uptime_ms", output_duration);
    AUTO_FREE char *load = first_load(stats);
    AUTO_FREE char *memory = used_of_total(json_object_get(stats, "memory"), "available");
    AUTO_FREE char *disk = used_of_total(json_object_get(stats, "disk"), "free");
    AUTO_FREE char *processes = optional_number(stats, "processes");
    AUTO_FREE char *resident = optional(stats, "rss_bytes", output_size);
    AUTO_FREE char *cpu = optional(stats, "cpu_ms", output_duration);
    table_add(table, (const char *const[]){json_get_string(stats, "name", NULL), uptime, load,
                                           memory, disk, processes, resident, cpu});
}

/* The VMs that were named, or every running one: an array of names. */
static json_t *stats_names(struct cli *cli, banger_error *err)
{
    json_t *names = json_array();
    for (size_t i = 0; i < cli->args.word_count; i++) {
        (void)json_array_append_new(names, json_string(cli->args.words[i]));
    }
    if (cli->args.word_count > 0) {
        return names;
    }
    AUTO_JSON json_t *vms = cli_call(cli, "vm.list", NULL, err);
    if (vms == NULL) {
        json_decref(names);
        return NULL;
    }
    size_t i = 0;
    json_t *vm = NULL;
    json_array_foreach (vms, i, vm) {
        (void)json_array_append_new(names, json_string(vm_name(vm)));
    }
    return names;
}

/* Appends {"name", ...stats} of each; tells of those that fail. Returns how many did. */
static size_t collect_stats(struct cli *cli, const json_t *names, json_t *all, banger_error *failed)
{
    size_t failures = 0;
    size_t i = 0;
    json_t *name = NULL;
    json_array_foreach (names, i, name) {
        banger_error err = BANGER_ERROR_INIT;
        json_t *params = json_pack("{s:O}", "vm", name);
        json_t *stats = signals_caught() == 0 ? cli_call(cli, "vm.stats", params, &err) : NULL;
        if (stats == NULL) {
            if (failures++ > 0) {
                output_error(failed, cli->json);
            }
            *failed = err;
            continue;
        }
        (void)json_object_set(stats, "name", name);
        (void)json_array_append_new(all, stats);
    }
    return failures;
}

int vm_stats(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *names = stats_names(cli, err);
    AUTO_JSON json_t *all = json_array();
    if (names == NULL) {
        return -1;
    }
    size_t failures = collect_stats(cli, names, all, err);
    if (failures > 0 && json_array_size(all) == 0) {
        return -1;
    }
    if (cli->json) {
        output_json(all);
        return failures > 0 ? -1 : EXIT_DONE;
    }
    static const char *const titles[] = {"NAME", "UPTIME",    "LOAD",     "MEMORY",
                                         "DISK", "PROCESSES", "HOST RAM", "HOST CPU"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *stats = NULL;
    json_array_foreach (all, i, stats) {
        stats_row(table, stats);
    }
    table_print(table);
    table_free(table);
    return failures > 0 ? -1 : EXIT_DONE;
}

/* -- ports --------------------------------------------------------------------------------------
 */

static void print_listeners(const json_t *listeners)
{
    static const char *const titles[] = {"PROTO", "ADDRESS", "PORT", "PROCESS"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (listeners, i, row) {
        AUTO_FREE char *port = optional_number(row, "port");
        table_add(table, (const char *const[]){json_get_string(row, "proto", NULL),
                                               json_get_string(row, "address", NULL), port,
                                               json_get_string(row, "process", NULL)});
    }
    table_print(table);
    table_free(table);
}

static void print_published(const json_t *published)
{
    size_t i = 0;
    json_t *row = NULL;
    if (json_array_size(published) > 0) {
        (void)printf("\nPublished on this machine:\n");
    }
    json_array_foreach (published, i, row) {
        AUTO_FREE char *text =
            json_is_string(row) ? xstrdup(json_string_value(row)) : json_text(row);
        AUTO_FREE char *line = output_line(text);
        (void)printf("  %s\n", line);
    }
}

int vm_ports(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *ports = cli_call(cli, "vm.ports", cli_params(cli, "vm"), err);
    if (ports == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(ports);
        return EXIT_DONE;
    }
    print_listeners(json_object_get(ports, "listeners"));
    print_published(json_object_get(ports, "published"));
    return EXIT_DONE;
}
