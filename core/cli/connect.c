/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connect.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/unix.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define AUTO_LAYOUT AUTO(layout_free)
#define PREDECESSOR_MS 15000 /* ending waits for the operations that run */

/* Whether the socket is there and somebody listens behind it. A refusal for another reason than
 * "nobody" (a missing permission) counts as there: rpc_client_connect then says why it fails. */
static bool somebody_listens(const char *path)
{
    banger_error ignored = BANGER_ERROR_INIT;
    AUTO_CLOSE int fd = unix_connect(path, &ignored);
    if (fd >= 0) {
        return true;
    }
    return ignored.code == BANGER_EPERMISSION || ignored.code == BANGER_EINVALID;
}

/* The lock of starting is the daemon's log file: it is needed just then, and no file is left behind
 * for the lock alone. Our descriptor is not the daemon's, so the lock ends with us. */
static int lock_start(const struct layout *layout, banger_error *err)
{
    if (dir_make(layout->state_dir, 0700, err) < 0) {
        return -1;
    }
    AUTO_FREE char *path = layout_daemon_log(layout);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open the daemon's log file %s", path);
    }
    /* Whoever holds it waits for a daemon, with a deadline: so does this. */
    if (flock(fd, LOCK_EX) < 0) {
        return errno == EINTR ? error_set(err, BANGER_ECANCELLED, "interrupted")
                              : error_sys(err, errno, "cannot lock %s", path);
    }
    return STEAL_FD(fd);
}

/* A daemon that is ending no longer listens and still holds its lock; a new one would be refused.
 * Waits for the lock, or for somebody to listen after all (another way of starting one). */
static int wait_for_predecessor(const struct layout *layout, const char *socket_path,
                                banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/bangerd.lock", layout->run_dir);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    deadline until = deadline_in(PREDECESSOR_MS);
    int locked = -1;
    signals_tick(true);
    while (fd >= 0 && locked < 0 && signals_caught() == 0 && deadline_left_ms(until) > 0 &&
           !somebody_listens(socket_path)) {
        locked = flock(fd, LOCK_SH);
        if (locked < 0 && errno != EINTR) {
            break; /* the daemon's own attempt will say what is wrong with it */
        }
    }
    signals_tick(false);
    return signals_caught() == 0 ? 0 : error_set(err, BANGER_ECANCELLED, "interrupted");
}

static struct rpc_client *start_and_connect(const struct layout *layout, const char *socket_path,
                                            banger_error *err)
{
    AUTO_CLOSE int lock = lock_start(layout, err);
    if (lock < 0) {
        return NULL;
    }
    if (wait_for_predecessor(layout, socket_path, err) < 0 ||
        (!somebody_listens(socket_path) && launch_daemon(layout, err) < 0)) {
        return NULL;
    }
    return rpc_client_connect(socket_path, err);
}

struct rpc_client *connect_daemon(banger_error *err)
{
    AUTO_LAYOUT struct layout layout = {0};
    if (layout_load(&layout, err) < 0) {
        return NULL;
    }
    AUTO_FREE char *path = layout_control_socket(&layout);
    if (somebody_listens(path)) {
        return rpc_client_connect(path, err);
    }
    const char *forbidden = getenv("BANGER_NO_AUTOSTART");
    if (forbidden != NULL && forbidden[0] != '\0' && !str_equal(forbidden, "0")) {
        (void)error_set(err, BANGER_ENOTFOUND, "no daemon runs behind %s", path);
        (void)error_hint(err, "BANGER_NO_AUTOSTART is set: start it with 'banger daemon start'");
        return NULL;
    }
    return start_and_connect(&layout, path, err);
}

struct rpc_client *connect_running(banger_error *err)
{
    AUTO_LAYOUT struct layout layout = {0};
    if (layout_load(&layout, err) < 0) {
        return NULL;
    }
    AUTO_FREE char *path = layout_control_socket(&layout);
    return somebody_listens(path) ? rpc_client_connect(path, err) : NULL;
}
