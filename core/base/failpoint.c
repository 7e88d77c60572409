/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "failpoint.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "name.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

bool failpoint_armed;

/* `lock` keeps the numbers and the lines of the log in one order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t passes;
static int64_t target; /* 0: none */
static bool target_kills;
static int log_fd = -1;

static int read_target(const char *text, banger_error *err)
{
    AUTO_FREE char *number = xstrdup(text);
    char *act = strchr(number, ':');
    if (act == NULL || (strcmp(act, ":kill") != 0 && strcmp(act, ":fail") != 0)) {
        return error_set(err, BANGER_EINVALID, "BANGER_FAILPOINT is '%.64s': use N:kill or N:fail",
                         text);
    }
    target_kills = strcmp(act, ":kill") == 0;
    *act = '\0';
    return number_parse("BANGER_FAILPOINT", number, 1, INT_MAX, &target, err);
}

int failpoint_arm(banger_error *err)
{
    const char *text = getenv("BANGER_FAILPOINT");
    const char *path = getenv("BANGER_FAILPOINT_LOG");
    if (text != NULL && read_target(text, err) < 0) {
        return -1;
    }
    if (path != NULL) {
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (log_fd < 0) {
            return error_sys(err, errno, "cannot open the log of failpoints %s", path);
        }
    }
    failpoint_armed = text != NULL || path != NULL;
    if (failpoint_armed) {
        log_warn("failpoints are armed: this daemon is being tested");
    }
    return 0;
}

/* Whether this pass is the one. The line is written before anything happens. */
static bool is_hit(const char *name, const char *moment, bool kill_only)
{
    (void)pthread_mutex_lock(&lock);
    int64_t number = ++passes;
    if (log_fd >= 0) {
        AUTO_FREE char *line = str_format("%lld %s:%s%s\n", (long long)number, name, moment,
                                          kill_only ? " kill-only" : "");
        if (fd_write_all(log_fd, line, strlen(line), NULL) < 0) {
            abort(); /* a list of places that has gaps would be believed */
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return number == target;
}

void failpoint_pass_kill(const char *name, const char *moment)
{
    if (is_hit(name, moment, true) && target_kills) {
        (void)kill(getpid(), SIGKILL); /* does not return: signal(7), and nobody can block it */
    }
}

int failpoint_pass(const char *name, const char *moment, banger_error *err)
{
    if (!is_hit(name, moment, false)) {
        return 0;
    }
    if (target_kills) {
        (void)kill(getpid(), SIGKILL);
    }
    return error_set(err, BANGER_EIO, "failpoint %s:%s", name, moment);
}
