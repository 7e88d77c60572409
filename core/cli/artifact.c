/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "artifact.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void artifact_add_name(const struct cli *cli, json_t *params)
{
    const char *name = args_text(&cli->args, "name");
    if (name != NULL) {
        (void)json_object_set_new(params, "name", json_string(name));
    }
}

int artifact_add_path(const struct cli *cli, json_t *params, const char *option, const char *key,
                      banger_error *err)
{
    const char *given = args_text(&cli->args, option);
    if (given == NULL) {
        return 0;
    }
    AUTO_FREE char *path = realpath(given, NULL);
    if (path == NULL) {
        return error_set(err, BANGER_EINVALID, "invalid --%s '%s': %s", option, given,
                         strerror(errno));
    }
    json_t *text = json_string(path);
    if (text == NULL) {
        return error_set(err, BANGER_EINVALID, "invalid --%s '%s': its full path is not UTF-8",
                         option, given);
    }
    return json_object_set_new(params, key, text);
}

int artifact_make(struct cli *cli, const char *method, json_t *params, banger_error *err)
{
    AUTO_JSON json_t *made = cli_call(cli, method, params, err);
    if (made == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(made);
    } else {
        (void)printf("%s\n", json_get_string(made, "name", "?"));
    }
    return EXIT_DONE;
}

static void list_rows(const json_t *items, bool with_version)
{
    static const char *const image_titles[] = {"NAME", "SIZE", "CREATED", "ORIGIN"};
    static const char *const kernel_titles[] = {"NAME", "SIZE", "CREATED", "VERSION", "ORIGIN"};
    struct table *table = with_version ? table_new(COUNT_OF(kernel_titles), kernel_titles)
                                       : table_new(COUNT_OF(image_titles), image_titles);
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach (items, i, item) {
        AUTO_FREE char *size = output_size(json_get_int(item, "size_bytes", 0));
        const char *origin = json_get_string(item, "origin", NULL);
        table_add(table, (const char *const[]){json_get_string(item, "name", NULL), size,
                                               json_get_string(item, "created", NULL),
                                               with_version ? json_get_string(item, "version", NULL)
                                                            : origin,
                                               origin});
    }
    table_print(table);
    table_free(table);
}

int artifact_list(struct cli *cli, const char *method, bool with_version, banger_error *err)
{
    AUTO_JSON json_t *items = cli_call(cli, method, NULL, err);
    if (items == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(items);
    } else if (cli->quiet) {
        size_t i = 0;
        json_t *item = NULL;
        json_array_foreach (items, i, item) {
            (void)printf("%s\n", json_get_string(item, "name", "?"));
        }
    } else {
        list_rows(items, with_version);
    }
    return EXIT_DONE;
}

int artifact_show(struct cli *cli, const char *method, const char *key, banger_error *err)
{
    AUTO_JSON json_t *item = cli_call(cli, method, cli_params(cli, key), err);
    if (item == NULL) {
        return -1;
    }
    if (cli->json) {
        output_json(item);
        return EXIT_DONE;
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach (item, name, value) {
        AUTO_FREE char *text =
            json_is_string(value) ? xstrdup(json_string_value(value)) : json_text(value);
        output_field(name, json_is_null(value) ? NULL : text);
    }
    return EXIT_DONE;
}
