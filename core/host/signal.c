/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/signal.h"

#include "base/cleanup.h"
#include "base/name.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

int signal_send(const struct process_id *id, int number, banger_error *err)
{
    if (id->pid <= 1 || id->pid == getpid()) {
        return error_set(err, BANGER_EINTERNAL, "refusing to signal process %d", (int)id->pid);
    }
    AUTO_CLOSE int pidfd = process_open(id, err);
    if (pidfd < 0) {
        return -1;
    }
    if (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0) {
        return error_sys(err, errno, "cannot signal process %d", (int)id->pid);
    }
    return 0;
}

const char *signal_name(int number)
{
    static _Thread_local char text[12]; /* real-time signals have no name */
    const char *name = sigabbrev_np(number);
    if (name == NULL) {
        (void)snprintf(text, sizeof(text), "%d", number);
    }
    return name != NULL ? name : text;
}

int signal_parse(const char *text, int *number, banger_error *err)
{
    int64_t value = 0;
    if (number_parse("signal", text, 1, SIGRTMAX, &value, NULL) == 0) {
        *number = (int)value;
        return 0;
    }
    const char *bare = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *name = sigabbrev_np(i);
        if (name != NULL && strcasecmp(bare, name) == 0) {
            *number = i;
            return 0;
        }
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid signal '%.32s': use a name such as TERM, KILL or HUP, or a number from 1 "
        "to %d",
        text, SIGRTMAX);
}
