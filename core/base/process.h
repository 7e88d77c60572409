/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes: how they are started and how they are told from strangers.
 *
 * A gated start is what makes the journal sound: the child is forked and waits on a pipe, the
 * parent writes its identity down, and only then lets it execute. If the parent dies in between,
 * the child reads the end of the pipe and exits without having done anything.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "clock.h"
#include "error.h"
#include "str.h"

#include <stdbool.h>
#include <sys/types.h>

#define BOOT_ID_LENGTH 36 /* /proc/sys/kernel/random/boot_id, proc(5) */

/* Names one process for as long as the machine is up: a PID alone is reused. */
struct process_id {
    pid_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat: clock ticks since boot */
    char boot_id[BOOT_ID_LENGTH + 1];
};

int process_identify(pid_t pid, struct process_id *id, banger_error *err);
/* A pidfd of exactly that process; -1 with BANGER_ENOTFOUND when it has ended (a zombie has) or its
 * PID is a stranger's now. */
int process_open(const struct process_id *id, banger_error *err);
/* Whether the process behind the pidfd has ended. Does not reap: the status is process_wait's. */
bool process_has_ended(int pidfd);
/* Waits for its end; 0 ended, -1 BANGER_ETIMEDOUT. `status` (may be NULL) gets the wait status when
 * it was our child and -1 otherwise. */
int process_wait(int pidfd, deadline until, int *status, banger_error *err);

/* The minimal environment. */
#define PROCESS_DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROCESS_DEFAULT_LANG "LANG=C.UTF-8"

struct process_spec {
    char *const *argv; /* argv[0] is an absolute path; NULL-terminated */
    char *const *envp; /* NULL: a minimal one (PATH, LANG=C.UTF-8) */
    const char *cwd;   /* NULL: / */
    int stdin_fd;      /* -1: /dev/null */
    int stdout_fd;     /* -1: /dev/null */
    int stderr_fd;     /* -1: /dev/null */
    bool new_session;  /* outlives us: setsid, so that no terminal's signal reaches it */
    bool ends_with_us; /* killed when the thread that starts it ends, so also with the daemon */
    /* Called in the child, which may make system calls only; -1: errno says why it fails. NULL: nothing. */
    int (*in_child)(void);
};

struct process_gate {
    pid_t pid;
    int gate_fd;   /* open while the child waits */
    int status_fd; /* reads the errno of a failed exec, or the end when it succeeded */
};

/* Forks a child that waits at the gate. All descriptors but 0, 1 and 2 are closed in it, signals
 * are at their defaults and unblocked. */
int process_fork_gated(const struct process_spec *spec, struct process_gate *gate,
                       banger_error *err);
/* Lets it execute; fails with the reason when exec does. */
int process_release(struct process_gate *gate, banger_error *err);
/* Ends a child that still waits, and reaps it. Harmless after process_release. */
void process_abandon(struct process_gate *gate);

/* Runs a program to its end, without a shell. It does not outlive us (its own children may): nobody
 * else could know of it. Output beyond `limit` bytes a stream is dropped and
 * the program is killed; it is also killed at the deadline. */
struct process_result {
    int status; /* exit status, or 128 + signal */
    struct buf out;
    struct buf err;
};
int process_run(char *const *argv, size_t limit, deadline until, struct process_result *result,
                banger_error *err);
void process_result_free(struct process_result *result);

/* Finds a program in PATH (then /usr/sbin and /sbin); a new string or NULL. */
char *process_find_program(const char *name);

#endif
