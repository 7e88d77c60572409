/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/checks.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/script.h"

/* "prepare, cleanup; 2 keys"; new. */
static char *describe(const struct trial *trial)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t keys = trial->capability->plugin->config_count;
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        if (trial_has(trial, (enum hook)hook)) {
            buf_printf(&text, "%s%s", text.length > 0 ? ", " : "", hook_name((enum hook)hook));
        }
    }
    return str_format("%s; %zu key%s", text.length > 0 ? text.data : "no hooks", keys,
                      keys == 1 ? "" : "s");
}

static void check_script(json_t *checks, const char *file)
{
    struct trial trial;
    banger_error err = BANGER_ERROR_INIT;
    if (script_open(&trial, file, NULL, NULL, &err) < 0) {
        checks_add_error(checks, "fail", file, &err);
        return;
    }
    AUTO_FREE char *text = describe(&trial);
    checks_add(checks, "pass", file, "%s", text);
    trial_close(&trial);
}

int hook_check(struct cli *cli, banger_error *err)
{
    (void)err;
    AUTO_JSON json_t *checks = json_array();
    for (size_t i = 0; i < cli->args.word_count; i++) {
        check_script(checks, args_word(&cli->args, i));
    }
    if (cli->json) {
        AUTO_JSON json_t *report = json_pack("{s:O}", "checks", checks);
        output_json(report);
    } else {
        checks_print(checks);
    }
    return checks_have_failure(checks) ? EXIT_FAILED : EXIT_DONE;
}
