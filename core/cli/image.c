/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "cli/artifact.h"
#include "cli/each.h"
#include "cli/handlers.h"

int image_build(struct cli *cli, banger_error *err)
{
    json_t *params = cli_params(cli, "kind");
    artifact_add_name(cli, params);
    return artifact_make(cli, "image.build", params, err);
}

int image_register(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *params = json_object();
    if (artifact_add_path(cli, params, "rootfs", "path", err) < 0) {
        return -1;
    }
    if (json_object_size(params) == 0) {
        (void)error_set(err, BANGER_EINVALID, "'banger image register' needs --rootfs FILE");
        return error_hint(err, "'banger image register --help' shows how it is used");
    }
    artifact_add_name(cli, params);
    return artifact_make(cli, "image.register", STEAL(params), err);
}

int image_list(struct cli *cli, banger_error *err)
{
    return artifact_list(cli, "image.list", false, err);
}

int image_show(struct cli *cli, banger_error *err)
{
    return artifact_show(cli, "image.show", "image", err);
}

int image_delete(struct cli *cli, banger_error *err)
{
    return each_call(cli, "image.delete", "image", NULL, err);
}
