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

int guest_put(struct engine *engine, const char *vm_id, const json_t *request, int64_t timeout_ms,
              banger_error *err)
{
    const char *source = json_get_string(request, "source", "");
    const char *path = json_get_string(request, "path", "");
    struct stat status;
    if (stat(source, &status) < 0) {
        return error_sys(err, errno, "cannot copy %s", source);
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "cannot copy %s: it is neither a file nor a folder", source);
    }
    const char *name = strrchr(path, '/') + 1;
    AUTO_FREE char *folder = str_format("%.*s.", (int)(name - path), path);
    const struct copy_as as = {
        .name = name,
        .mode = (mode_t)json_get_int(request, "mode", 0),
        .until = deadline_in(timeout_ms < 0 ? INT64_MAX : timeout_ms),
    };
    int stream = open_stream(engine, vm_id, folder, err);
    if (stream < 0 || copy_in_as(stream, source, &as, err) < 0) {
        return error_prefix(err, "%s: ", path);
    }
    return 0;
}
