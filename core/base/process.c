/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling processes from strangers: identity, pidfds, the end. */
#include "process.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define STAT_MAX 4096        /* one line of 52 numbers and a name */
#define START_TICKS_FIELD 22 /* proc(5) */
#define FIRST_FIELD_PAST_NAME 3

static int no_such_process(pid_t pid, banger_error *err)
{
    return error_set(err, BANGER_ENOTFOUND, "process %d has ended", (int)pid);
}

/* The name is in parentheses and may itself hold spaces and parentheses: the last one closes it. */
static int parse_start_ticks(const char *stat, uint64_t *ticks)
{
    const char *at = strrchr(stat, ')');
    if (at == NULL) {
        return -1;
    }
    at++;
    for (int field = FIRST_FIELD_PAST_NAME; field < START_TICKS_FIELD; field++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    at += strspn(at, " ");
    if (*at < '0' || *at > '9') {
        return -1;
    }
    errno = 0;
    *ticks = strtoull(at, NULL, 10);
    return errno == 0 ? 0 : -1;
}

static int read_start_ticks(pid_t pid, uint64_t *ticks, banger_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    AUTO_FCLOSE FILE *file = fopen(path, "re");
    char stat[STAT_MAX];
    size_t length = file != NULL ? fread(stat, 1, sizeof(stat) - 1, file) : 0;
    if (length == 0) { /* ENOENT, or ESRCH when it ended between open and read */
        return errno == ENOENT || errno == ESRCH ? no_such_process(pid, err)
                                                 : error_sys(err, errno, "cannot read %s", path);
    }
    stat[length] = '\0';
    if (parse_start_ticks(stat, ticks) < 0) {
        return error_set(err, BANGER_ECORRUPT, "cannot understand %s", path);
    }
    return 0;
}

static int read_boot_id(char boot_id[BOOT_ID_LENGTH + 1], banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    if (file_read("/proc/sys/kernel/random/boot_id", STAT_MAX, &text, err) < 0) {
        return -1;
    }
    if (text.length < BOOT_ID_LENGTH) {
        return error_set(err, BANGER_ECORRUPT, "the kernel's boot id is too short: '%s'",
                         str_or(text.data, ""));
    }
    memcpy(boot_id, text.data, BOOT_ID_LENGTH);
    boot_id[BOOT_ID_LENGTH] = '\0';
    return 0;
}

int process_identify(pid_t pid, struct process_id *id, banger_error *err)
{
    struct process_id found = {.pid = pid};
    if (pid <= 0) {
        return error_set(err, BANGER_EINVALID, "%d is no process id", (int)pid);
    }
    if (read_start_ticks(pid, &found.start_ticks, err) < 0 ||
        read_boot_id(found.boot_id, err) < 0) {
        return -1;
    }
    *id = found;
    return 0;
}

static bool is_readable(int pidfd, deadline until)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    int ready = 0;
    do {
        ready = poll(&poll_fd, 1, deadline_poll_ms(until));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

int process_open(const struct process_id *id, banger_error *err)
{
    if (id->pid <= 0) {
        return error_set(err, BANGER_EINVALID, "%d is no process id", (int)id->pid);
    }
    AUTO_CLOSE int pidfd = pidfd_open(id->pid, 0);
    if (pidfd < 0) { /* EINVAL: the number is a thread's now; ENOENT: the same since 6.9 */
        return errno == ESRCH || errno == EINVAL || errno == ENOENT
                   ? no_such_process(id->pid, err)
                   : error_sys(err, errno, "cannot open process %d", (int)id->pid);
    }
    /* Read after the pidfd was opened: if the numbers match and the pidfd's process has not ended
     * yet, then /proc spoke of that process and of no later owner of its PID. */
    struct process_id now;
    if (process_identify(id->pid, &now, err) < 0) {
        return -1;
    }
    if (now.start_ticks != id->start_ticks || strcmp(now.boot_id, id->boot_id) != 0 ||
        is_readable(pidfd, 0)) {
        return no_such_process(id->pid, err);
    }
    return STEAL_FD(pidfd);
}

static int wait_status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return W_EXITCODE(info->si_status & 0xff, 0);
    case CLD_DUMPED:
        return W_EXITCODE(0, info->si_status) | WCOREFLAG;
    default:
        return W_EXITCODE(0, info->si_status);
    }
}

/* Reaps an ended child; -1 when it is none of ours or was reaped before. */
static int reap(int pidfd)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) {
        return -1;
    }
    return wait_status_of(&info);
}

bool process_has_ended(int pidfd)
{
    return is_readable(pidfd, 0);
}

int process_wait(int pidfd, deadline until, int *status, banger_error *err)
{
    if (!is_readable(pidfd, until)) {
        return error_set(err, BANGER_ETIMEDOUT, "the process has not ended in time");
    }
    int found = reap(pidfd);
    if (status != NULL) {
        *status = found;
    }
    return 0;
}
