/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/artifact.h"
#include "cli/handlers.h"
#include "cli/output.h"

#include <stdio.h>

/* "a b" out of an array of strings; new. */
static char *words(const json_t *array)
{
    struct buf out = BUF_INIT;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (array, i, item) {
        buf_printf(&out, "%s%s", i == 0 ? "" : " ", str_or(json_string_value(item), "?"));
    }
    return buf_steal(&out);
}

/* The names of an object's members; new. */
static char *member_names(const json_t *object)
{
    struct buf out = BUF_INIT;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)object, name, value) {
        buf_printf(&out, "%s%s", out.length == 0 ? "" : " ", name);
    }
    return buf_steal(&out);
}

/* -- Counters ------------------------------------------------------------------------------------ */

#define COUNTER_TITLES "CALLS", "FAILED", "P50", "P99"

/* The cells of one set of counters; without a call there is no time. */
struct counter_cells {
    char calls[24];
    char failed[24];
    char *p50;
    char *p99;
    char *max;
};

static char *time_cell(const json_t *counters, const char *key)
{
    bool any = json_get_int(counters, "calls", 0) > 0;
    return any ? output_nanoseconds(json_get_int(counters, key, 0)) : NULL;
}

static struct counter_cells counter_cells(const json_t *counters)
{
    struct counter_cells cells = {.p50 = time_cell(counters, "p50_ns"),
                                  .p99 = time_cell(counters, "p99_ns"),
                                  .max = time_cell(counters, "max_ns")};
    (void)snprintf(cells.calls, sizeof(cells.calls), "%lld",
                   (long long)json_get_int(counters, "calls", 0));
    (void)snprintf(cells.failed, sizeof(cells.failed), "%lld",
                   (long long)json_get_int(counters, "failures", 0));
    return cells;
}

static void counter_cells_free(struct counter_cells *cells)
{
    free(cells->p50);
    free(cells->p99);
    free(cells->max);
}

/* -- Lists --------------------------------------------------------------------------------------- */

static void plugin_row(struct table *table, const json_t *plugin)
{
    AUTO_FREE char *hooks = member_names(json_object_get(plugin, "hooks"));
    AUTO_FREE char *provides = words(json_object_get(plugin, "provides"));
    struct counter_cells counters = counter_cells(plugin);
    char order[24];
    (void)snprintf(order, sizeof(order), "%lld", (long long)json_get_int(plugin, "order", 0));
    table_add(table, (const char *const[]){order, json_get_string(plugin, "name", NULL),
                                           json_get_string(plugin, "version", NULL),
                                           json_get_string(plugin, "state", NULL),
                                           json_get_bool(plugin, "isolated", false) ? "yes" : "no",
                                           counters.calls, counters.failed, counters.p50,
                                           counters.p99, provides, hooks});
    counter_cells_free(&counters);
}

static void hook_row(struct table *table, const json_t *plugin)
{
    AUTO_FREE char *hooks = member_names(json_object_get(plugin, "hooks"));
    struct counter_cells counters = counter_cells(plugin);
    table_add(table, (const char *const[]){json_get_string(plugin, "name", NULL),
                                           json_get_string(plugin, "state", NULL), counters.calls,
                                           counters.failed, counters.p50, counters.p99,
                                           json_get_string(plugin, "origin", NULL), hooks});
    counter_cells_free(&counters);
}

/* Below the table, where there is room for it. */
static void print_reason(const json_t *plugin)
{
    const json_t *broken = json_object_get(plugin, "broken");
    if (!json_is_object(broken)) {
        return;
    }
    AUTO_FREE char *name = output_line(json_get_string(plugin, "name", "?"));
    AUTO_FREE char *message = output_line(json_get_string(broken, "message", "?"));
    AUTO_FREE char *hint = output_line(json_get_string(broken, "hint", ""));
    (void)printf("\n%s is broken: %s\n", name, message);
    if (hint[0] != '\0') {
        (void)printf("  hint: %s\n", hint);
    }
}

static int print_list(struct cli *cli, const json_t *plugins, struct table *table,
                      void (*add_row)(struct table *table, const json_t *plugin))
{
    size_t i = 0;
    json_t *plugin = NULL;
    json_array_foreach (plugins, i, plugin) {
        if (cli->quiet) {
            (void)printf("%s\n", json_get_string(plugin, "name", "?"));
        } else {
            add_row(table, plugin);
        }
    }
    if (!cli->quiet) {
        table_print(table);
        json_array_foreach (plugins, i, plugin) {
            print_reason(plugin);
        }
    }
    table_free(table);
    return EXIT_DONE;
}

/* The hooks that were called, of every plugin, in the plugins' order. */
static json_t *called_hooks(const json_t *plugins)
{
    json_t *rows = json_array();
    size_t i = 0;
    json_t *plugin = NULL;
    json_array_foreach (plugins, i, plugin) {
        const char *hook = NULL;
        json_t *counters = NULL;
        json_object_foreach (json_object_get(plugin, "hooks"), hook, counters) {
            if (json_get_int(counters, "calls", 0) > 0) {
                json_t *row = json_pack("{s:s, s:s}", "plugin",
                                        json_get_string(plugin, "name", "?"), "hook", hook);
                (void)json_object_update(row, counters);
                (void)json_array_append_new(rows, row);
            }
        }
    }
    return rows;
}

static void call_row(struct table *table, const json_t *row)
{
    struct counter_cells cells = counter_cells(row);
    table_add(table, (const char *const[]){json_get_string(row, "plugin", NULL),
                                           json_get_string(row, "hook", NULL), cells.calls,
                                           cells.failed, cells.p50, cells.p99});
    counter_cells_free(&cells);
}

static int list_calls(struct cli *cli, const json_t *plugins)
{
    AUTO_JSON json_t *rows = called_hooks(plugins);
    if (cli->json) {
        output_json(rows);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"PLUGIN", "HOOK", COUNTER_TITLES};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (rows, i, row) {
        if (cli->quiet) {
            (void)printf("%s %s\n", json_get_string(row, "plugin", "?"),
                         json_get_string(row, "hook", "?"));
        } else {
            call_row(table, row);
        }
    }
    if (!cli->quiet) {
        table_print(table);
    }
    table_free(table);
    return EXIT_DONE;
}

int plugin_list(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *plugins = cli_call(cli, "plugin.list", NULL, err);
    if (plugins == NULL) {
        return -1;
    }
    if (args_has(&cli->args, "hooks")) {
        return list_calls(cli, plugins);
    }
    if (cli->json) {
        output_json(plugins);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"ORDER",    "NAME",         "VERSION",  "STATE",
                                         "ISOLATED", COUNTER_TITLES, "PROVIDES", "HOOKS"};
    return print_list(cli, plugins, table_new(COUNT_OF(titles), titles), plugin_row);
}

int hook_list(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *hooks = cli_call(cli, "hook.list", NULL, err);
    if (hooks == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(hooks);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"NAME", "STATE", COUNTER_TITLES, "FILE", "HOOKS"};
    return print_list(cli, hooks, table_new(COUNT_OF(titles), titles), hook_row);
}

/* -- One ----------------------------------------------------------------------------------------- */

static void print_hooks(const json_t *hooks)
{
    if (json_object_size(hooks) == 0) {
        return;
    }
    static const char *const titles[] = {"HOOK", COUNTER_TITLES, "MAX"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    const char *name = NULL;
    json_t *counters = NULL;
    json_object_foreach ((json_t *)hooks, name, counters) {
        struct counter_cells cells = counter_cells(counters);
        table_add(table, (const char *const[]){name, cells.calls, cells.failed, cells.p50,
                                               cells.p99, cells.max});
        counter_cells_free(&cells);
    }
    (void)printf("\nHooks:\n");
    table_print(table);
    table_free(table);
}

static void print_config(const json_t *keys)
{
    if (json_array_size(keys) == 0) {
        return;
    }
    static const char *const titles[] = {"KEY", "TYPE", "VALUE", "DEFAULT", "HELP"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *key = NULL;
    json_array_foreach (keys, i, key) {
        const json_t *value = json_object_get(key, "value");
        AUTO_FREE char *text = value != NULL ? json_text(value) : xstrdup("");
        table_add(table, (const char *const[]){json_get_string(key, "name", NULL),
                                               json_get_string(key, "type", NULL), text,
                                               json_get_string(key, "default", NULL),
                                               json_get_string(key, "help", NULL)});
    }
    (void)printf("\nConfiguration:\n");
    table_print(table);
    table_free(table);
}

/* What is said in tables below, or for programs only. */
static bool is_field(const char *name)
{
    static const char *const others[] = {"config",  "hooks",  "broken", "calls", "failures",
                                         "mean_ns", "p50_ns", "p99_ns", "max_ns"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (str_equal(name, others[i])) {
            return false;
        }
    }
    return true;
}

static void print_fields(json_t *plugin)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach (plugin, name, value) {
        AUTO_FREE char *text = json_is_string(value)   ? xstrdup(json_string_value(value))
                               : json_is_array(value)  ? words(value)
                               : json_is_object(value) ? member_names(value)
                                                       : json_text(value);
        if (is_field(name)) {
            output_field(name, json_is_null(value) ? NULL : text);
        }
    }
}

int plugin_show(struct cli *cli, banger_error *err)
{
    json_t *params = cli_params(cli, "plugin");
    AUTO_JSON json_t *plugin = cli_call(cli, "plugin.show", params, err);
    if (plugin == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(plugin);
        return EXIT_DONE;
    }
    print_fields(plugin);
    print_reason(plugin);
    print_hooks(json_object_get(plugin, "hooks"));
    print_config(json_object_get(plugin, "config"));
    return EXIT_DONE;
}

int plugin_enable(struct cli *cli, banger_error *err)
{
    return artifact_make(cli, "plugin.enable", cli_params(cli, "plugin"), err);
}
