/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy is told its name in the archive, and its parent's as the destination. So it makes no
 * difference whether an earlier start has copied it already: cp's rule, that a folder which is there
 * gets the copy inside, has nothing to look at.
 */
#include "lifecycle/guest_put.h"

#include "agent/frame.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "guest/copy.h"
#include "lifecycle/live.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int open_stream(struct engine *engine, const char *vm_id, const char *folder,
                       banger_error *err)
{
    AUTO_LIVE_VM struct live_vm *vm = live_hold(engine, vm_id);
    if (vm == NULL) {
        return error_set(err, BANGER_EBUSY, "the guest's agent cannot be reached: it does not run");
    }
    return channel_open_stream(live_channel(vm), SERVICE_TAR_IN, folder, strlen(folder) + 1, err);
}

static int check_source(const char *source, banger_error *err)
{
    struct stat status;
    if (stat(source, &status) < 0) {
        return error_sys(err, errno, "cannot copy %s", source);
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "cannot copy %s: it is neither a file nor a folder", source);
    }
    return 0;
}

int guest_put(struct engine *engine, const char *vm_id, const json_t *request, int64_t timeout_ms,
              banger_error *err)
{
    const json_t *content = json_object_get(request, "content");
    const char *source = json_get_string(request, "source", "");
    const char *path = json_get_string(request, "path", "");
    if (content == NULL && check_source(source, err) < 0) {
        return -1;
    }
    const char *name = strrchr(path, '/') + 1;
    AUTO_FREE char *folder = str_format("%.*s.", (int)(name - path), path);
    const struct copy_as as = {
        .name = name,
        .mode = (mode_t)json_get_int(request, "mode", content != NULL ? 0600 : 0),
        .until = deadline_in(timeout_ms < 0 ? INT64_MAX : timeout_ms),
    };
    int stream = open_stream(engine, vm_id, folder, err);
    int result = stream;
    if (stream >= 0 && content != NULL) {
        result =
            copy_in_text(stream, json_string_value(content), json_string_length(content), &as, err);
    } else if (stream >= 0) {
        result = copy_in_as(stream, source, &as, err);
    }
    return result < 0 ? error_prefix(err, "%s: ", path) : 0;
}
