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

/* Whether the file, a list of words, has this one. */
static bool file_has_word(const char *path, const char *word)
{
    AUTO_BUF struct buf text = BUF_INIT;
    if (file_read(path, 4096, &text, NULL) < 0 || text.data == NULL) {
        return false;
    }
    char *rest = text.data;
    for (char *at = strsep(&rest, " \n"); at != NULL; at = strsep(&rest, " \n")) {
        if (strcmp(at, word) == 0) {
            return true;
        }
    }
    return false;
}

/* A cgroup with processes of its own hands no controller on, unless it is the hierarchy's real root,
 * which has no type. The "root" that a container sees is as a rule an ordinary one with processes
 * (cgroup-v2.rst, "No Internal Process Constraint"). */
static bool root_hands_on(void)
{
    AUTO_BUF struct buf processes = BUF_INIT;
    return access(CGROUP_ROOT "/cgroup.type", F_OK) < 0 ||
           (file_read(CGROUP_ROOT "/cgroup.procs", 1 << 20, &processes, NULL) == 0 &&
            processes.length == 0);
}

bool cgroup_available(void)
{
    static const char *const needed[] = {"cpu", "memory", "pids"};
    struct statfs info;
    if (statfs(CGROUP_ROOT, &info) < 0 || (unsigned long)info.f_type != CGROUP2_SUPER_MAGIC ||
        access(CGROUP_ROOT "/cgroup.subtree_control", W_OK) < 0) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        bool there =
            file_has_word(CGROUP_ROOT "/cgroup.subtree_control", needed[i]) ||
            (file_has_word(CGROUP_ROOT "/cgroup.controllers", needed[i]) && root_hands_on());
        if (!there) {
            return false;
        }
    }
    return true;
}

char *cgroup_path(const char *vm_id)
{
    return str_format("%s/%s", CGROUP_PARENT, vm_id);
}

static int check_path(const char *path, banger_error *err)
{
    const char *id = str_starts(path, CGROUP_PARENT "/") ? path + strlen(CGROUP_PARENT "/") : "";
    if (strlen(id) != ID_LENGTH || !id_is_prefix(id)) {
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
    size_t controller = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz._");
    return controller > 0 && name[controller] == '.' && name[length] == '\0' && length < 64 &&
           length > controller + 1 && strstr(name, "..") == NULL && !str_starts(name, "cgroup.");
}

/* One that this kernel lacks is noticed when its limit is written. */
static void enable_controller(const char *limit)
{
    AUTO_FREE char *word = str_format("+%.*s", (int)strcspn(limit, "."), limit);
    (void)write_value(CGROUP_ROOT, "cgroup.subtree_control", word, NULL);
    (void)write_value(CGROUP_PARENT, "cgroup.subtree_control", word, NULL);
}

static int write_limits(const char *path, const json_t *limits, banger_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)limits, name, value) {
        if (!is_limit_name(name)) {
            return error_set(err, BANGER_EINTERNAL, "'%s' is not the name of a cgroup limit", name);
        }
        enable_controller(name);
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
