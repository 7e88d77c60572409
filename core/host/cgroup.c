/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_PARENT CGROUP_ROOT "/banger"

bool cgroup_available(void)
{
    struct statfs info;
    return statfs(CGROUP_ROOT, &info) == 0 && (unsigned long)info.f_type == CGROUP2_SUPER_MAGIC &&
           access(CGROUP_ROOT "/cgroup.subtree_control", W_OK) == 0;
}

char *cgroup_path(const char *vm_id)
{
    return str_format("%s/%s", CGROUP_PARENT, vm_id);
}

static int check_path(const char *path, banger_error *err)
{
    const char *id = path + strlen(CGROUP_PARENT "/");
    if (!str_starts(path, CGROUP_PARENT "/") || strlen(id) != ID_LENGTH || !id_is_prefix(id)) {
        return error_set(err, BANGER_EINTERNAL, "'%s' is not a cgroup of ours", path);
    }
    return 0;
}

static int write_value(const char *dir, const char *file, const char *value, banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/%s", dir, file);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open %s", path);
    }
    if (write(fd, value, strlen(value)) < 0) {
        return error_sys(err, errno, "cannot write '%s' to %s", value, path);
    }
    return 0;
}

static bool is_limit_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz._");
    return name[length] == '\0' && length > 2 && length < 64 && strchr(name, '.') != NULL &&
           name[0] != '.' && strstr(name, "..") == NULL && !str_starts(name, "cgroup.");
}

static int write_limits(const char *path, const json_t *limits, banger_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)limits, name, value) {
        if (!is_limit_name(name)) {
            return error_set(err, BANGER_EINVALID, "'%s' is not the name of a cgroup limit", name);
        }
        AUTO_FREE char *text =
            json_is_string(value) ? xstrdup(json_string_value(value)) : json_text(value);
        if (write_value(path, name, text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int cgroup_create(const char *path, const json_t *limits, banger_error *err)
{
    if (check_path(path, err) < 0 || dir_make(path, 0755, err) < 0) {
        return -1;
    }
    /* A controller that this kernel lacks is noticed when its limit is written. */
    static const char *const controllers[] = {"+memory", "+cpu", "+pids"};
    for (size_t i = 0; i < COUNT_OF(controllers); i++) {
        (void)write_value(CGROUP_ROOT, "cgroup.subtree_control", controllers[i], NULL);
        (void)write_value(CGROUP_PARENT, "cgroup.subtree_control", controllers[i], NULL);
    }
    return write_limits(path, limits, err);
}

int cgroup_enter(const char *path, pid_t pid, banger_error *err)
{
    AUTO_FREE char *text = str_format("%d", (int)pid);
    return check_path(path, err) < 0 ? -1 : write_value(path, "cgroup.procs", text, err);
}

/* cgroup.events announces by POLLPRI when the last process has gone (cgroup-v2.rst, "populated").
 */
static void wait_empty(const char *path)
{
    AUTO_FREE char *events = str_format("%s/cgroup.events", path);
    AUTO_CLOSE int fd = open(events, O_RDONLY | O_CLOEXEC);
    char text[256];
    deadline until = deadline_in(5000);
    while (fd >= 0 && deadline_left_ms(until) > 0) {
        ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
        text[got > 0 ? got : 0] = '\0';
        if (strstr(text, "populated 1") == NULL) {
            return;
        }
        struct pollfd poller = {.fd = fd, .events = POLLPRI};
        (void)poll(&poller, 1, deadline_poll_ms(until));
    }
}

int cgroup_remove(const char *path, banger_error *err)
{
    if (check_path(path, err) < 0) {
        return -1;
    }
    if (access(path, F_OK) < 0) {
        return 0;
    }
    (void)write_value(path, "cgroup.kill", "1",
                      NULL); /* Linux >= 5.14; our processes are dead anyway */
    wait_empty(path);
    if (rmdir(path) < 0 && errno != ENOENT) {
        return error_sys(err, errno, "cannot remove the cgroup %s", path);
    }
    return 0;
}
