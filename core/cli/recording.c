/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recording.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

int recording_begin(struct cli *cli, json_t *params, banger_error *err)
{
    const char *path = args_text(&cli->args, "record");
    if (path == NULL) {
        return 0;
    }
    AUTO_FREE char *copy = xstrdup(path);
    const char *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) < 0) {
        return error_sys(err, errno, "--record: cannot write to %s", folder);
    }
    cli->recording = json_array();
    return json_object_set_new(params, "record", json_true());
}

void recording_add(struct cli *cli, const json_t *entry)
{
    if (cli->recording != NULL) {
        (void)json_array_append(cli->recording, (json_t *)entry);
    }
}

int recording_end(struct cli *cli, const char *vm, banger_error *err)
{
    AUTO_JSON json_t *hooks = STEAL(cli->recording);
    if (hooks == NULL) {
        return 0;
    }
    AUTO_JSON json_t *recording = json_pack("{s:i, s:s, s:s?, s:O}", "format", RECORDING_FORMAT,
                                            "banger", BANGER_VERSION, "vm", vm, "hooks", hooks);
    AUTO_FREE char *text = json_dumps(recording, JSON_INDENT(1));
    const char *path = args_text(&cli->args, "record");
    /* It has what hooks have seen, secrets among it: nobody else's to read. */
    return file_write_atomic(path, text, strlen(text), 0600, err);
}
