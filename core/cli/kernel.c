/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "cli/artifact.h"
#include "cli/each.h"
#include "cli/handlers.h"

#include <string.h>

/* --deb takes a file where it looks like one, and the name of a package otherwise. */
static int add_deb(struct cli *cli, json_t *params, banger_error *err)
{
    const char *deb = args_text(&cli->args, "deb");
    if (strchr(deb, '/') != NULL || str_ends(deb, ".deb")) {
        return artifact_add_path(cli, params, "deb", "deb_file", err);
    }
    if (name_check_package(deb, err) < 0) {
        return -1;
    }
    return json_object_set_new(params, "deb", json_string(deb));
}

static int add_source(struct cli *cli, json_t *params, banger_error *err)
{
    bool deb = args_has(&cli->args, "deb");
    bool vmlinuz = args_has(&cli->args, "vmlinuz");
    if (deb == vmlinuz) {
        (void)error_set(err, BANGER_EINVALID,
                        "'banger kernel import' needs one of --deb and "
                        "--vmlinuz");
        return error_hint(err, "try: banger kernel import --deb linux-image-cloud-amd64");
    }
    if (deb && args_has(&cli->args, "modules")) {
        return error_set(err, BANGER_EINVALID,
                         "--modules goes with --vmlinuz: a package has its own modules");
    }
    if (deb) {
        return add_deb(cli, params, err);
    }
    if (artifact_add_path(cli, params, "vmlinuz", "vmlinuz", err) < 0) {
        return -1;
    }
    return artifact_add_path(cli, params, "modules", "modules", err);
}

int kernel_import(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *params = json_object();
    if (add_source(cli, params, err) < 0) {
        return -1;
    }
    artifact_add_name(cli, params);
    return artifact_make(cli, "kernel.import", STEAL(params), err);
}

int kernel_list(struct cli *cli, banger_error *err)
{
    return artifact_list(cli, "kernel.list", true, err);
}

int kernel_show(struct cli *cli, banger_error *err)
{
    return artifact_show(cli, "kernel.show", "kernel", err);
}

int kernel_delete(struct cli *cli, banger_error *err)
{
    return each_call(cli, "kernel.delete", "kernel", NULL, err);
}
