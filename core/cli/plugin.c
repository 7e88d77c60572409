/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
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

static void list_row(struct table *table, const json_t *plugin)
{
    AUTO_FREE char *hooks = member_names(json_object_get(plugin, "hooks"));
    AUTO_FREE char *provides = words(json_object_get(plugin, "provides"));
    table_add(table, (const char *const[]){json_get_string(plugin, "name", NULL),
                                           json_get_string(plugin, "version", NULL), provides,
                                           hooks, json_get_string(plugin, "summary", NULL)});
}

int plugin_list(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *plugins = cli_call(cli, "plugin.list", NULL, err);
    if (plugins == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(plugins);
        return EXIT_DONE;
    }
    static const char *const titles[] = {"NAME", "VERSION", "PROVIDES", "HOOKS", "SUMMARY"};
    struct table *table = table_new(COUNT_OF(titles), titles);
    size_t i = 0;
    json_t *plugin = NULL;
    json_array_foreach (plugins, i, plugin) {
        if (cli->quiet) {
            (void)printf("%s\n", json_get_string(plugin, "name", "?"));
        } else {
            list_row(table, plugin);
        }
    }
    if (!cli->quiet) {
        table_print(table);
    }
    table_free(table);
    return EXIT_DONE;
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
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach (plugin, name, value) {
        if (str_equal(name, "config")) {
            continue;
        }
        AUTO_FREE char *text = json_is_string(value)   ? xstrdup(json_string_value(value))
                               : json_is_array(value)  ? words(value)
                               : json_is_object(value) ? member_names(value)
                                                       : json_text(value);
        output_field(name, json_is_null(value) ? NULL : text);
    }
    print_config(json_object_get(plugin, "config"));
    return EXIT_DONE;
}
