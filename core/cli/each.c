/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "each.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/output.h"
#include "cli/signals.h"

#include <stdio.h>

int each_call(struct cli *cli, const char *method, const char *key, const json_t *more,
              banger_error *err)
{
    AUTO_JSON json_t *results = json_array();
    banger_error failed = BANGER_ERROR_INIT; /* the last failure: main's to print */
    for (size_t i = 0; i < cli->args.word_count && signals_caught() == 0; i++) {
        json_t *params = json_pack("{s:s}", key, cli->args.words[i]);
        (void)json_object_update(params, (json_t *)more);
        banger_error failure = BANGER_ERROR_INIT;
        AUTO_JSON json_t *result = cli_call(cli, method, params, &failure);
        if (result == NULL) {
            if (failed.code != 0) {
                output_error(&failed, cli->json);
            }
            failed = failure;
            continue;
        }
        (void)json_array_append(results, result);
        if (!cli->json) {
            (void)printf("%s\n", json_get_string(result, "name", cli->args.words[i]));
            (void)fflush(stdout);
        }
    }
    if (cli->json && (failed.code == 0 || json_array_size(results) > 0)) {
        output_json(results);
    }
    if (failed.code != 0) {
        *err = failed;
        return -1;
    }
    return EXIT_DONE;
}
