/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for a VMM that has just been spawned: its control socket appears in vm.run_dir, or its end
 * shows at a log that nobody else holds. Without polling either, and with what it wrote in the error.
 */
#ifndef COMMON_VMM_START_H
#define COMMON_VMM_START_H

#include <banger/host.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define VMM_START_LOGS_MAX 2

/* Keeps printable text and joins the lines: what a VMM prints must not drive the terminal. */
void vmm_start_make_printable(char *text, size_t size);

struct vmm_start {
    const struct banger_host *host;
    struct banger_call *call;
    const char *name; /* of the VMM, for people */
    struct {
        char path[PATH_MAX];
        off_t start; /* what earlier runs wrote ends here */
    } logs[VMM_START_LOGS_MAX];
    size_t log_count;
    int events; /* inotify; -1: none */
    int log_watch;
};

/* Makes a log so that it can be watched, and notes where this run begins in it. The first one is
 * that which spawn gets: its last writer's end is the VMM's. */
int vmm_start_add_log(struct vmm_start *start, const char *path);
/* Watches the first log and the folder in which the control socket will be. */
int vmm_start_watch(struct vmm_start *start, const char *folder);
/* Waits for an event, a moment at most; true when one said that the VMM has ended. */
bool vmm_start_has_ended(const struct vmm_start *start);
/* 0: go on waiting. Below: the start is over (its deadline, its user, its VMM: `ended`), and
 * host->fail knows. */
int vmm_start_give_up(const struct vmm_start *start, bool ended);
/* host->fail: `what` and the last that this run wrote into the logs. */
int vmm_start_fail(const struct vmm_start *start, int code, const char *what);
void vmm_start_end(struct vmm_start *start);

#endif
