/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/exec.h"
#include "cli/handlers.h"

int vm_exec(struct cli *cli, banger_error *err)
{
    if (exec_check_options(cli, err) < 0) {
        return -1;
    }
    json_t *params = exec_params(cli, err);
    if (params == NULL) {
        return -1;
    }
    json_t *env = args_array(&cli->args, "env");
    if (env != NULL) {
        (void)json_object_set_new(params, "env", env);
    }
    return exec_run(cli, args_word(&cli->args, 0), params, err);
}
