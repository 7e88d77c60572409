/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/release.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "host/cgroup.h"
#include "host/signal.h"
#include "lifecycle/spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A helper that has ended by itself stays in the process table until its parent, us, takes note. As
 * long as it does, its PID is nobody else's. */
static void reap_ended(const struct process_id *process)
{
    struct process_id now;
    if (process_identify(process->pid, &now, NULL) == 0 &&
        now.start_ticks == process->start_ticks && strcmp(now.boot_id, process->boot_id) == 0) {
        (void)waitpid(process->pid, NULL, WNOHANG);
    }
}

/* TERM, a moment, KILL. Only a process with the recorded start time and boot id is ever met: any
 * other that has the PID now is a stranger, and ours has ended. */
static int release_process(struct engine *engine, const struct resource *row, banger_error *err)
{
    struct process_id process;
    if (spawn_row_process(row, &process) < 0) {
        return 0; /* an intent without a process: the child ended at its gate */
    }
    banger_error failure = BANGER_ERROR_INIT;
    AUTO_CLOSE int pidfd = process_open(&process, &failure);
    if (pidfd < 0) {
        if (failure.code == BANGER_ENOTFOUND) {
            reap_ended(&process);
            return 0;
        }
        *err = failure;
        return -1;
    }
    static const int signals[] = {SIGTERM, SIGKILL};
    int64_t patience = json_get_int(engine->config, "term_timeout", 5000);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        (void)signal_send(&process, signals[i], NULL);
        if (process_wait(pidfd, deadline_in(patience), NULL, NULL) == 0) {
            return 0;
        }
    }
    return error_set(err, BANGER_ETIMEDOUT, "process %d (%s) cannot be ended", (int)process.pid,
                     row->key);
}

/* Folders of ours lie below the run folder, named by the VM. */
static int release_dir(struct engine *engine, const struct resource *row, banger_error *err)
{
    AUTO_FREE char *expected = layout_vm_run_dir(engine->layout, row->vm_id);
    if (strcmp(row->key, expected) != 0) {
        return error_set(err, BANGER_EINTERNAL, "'%s' is not a folder of this VM", row->key);
    }
    return dir_remove(row->key, err);
}

static int release_cgroup(struct engine *engine, const struct resource *row, banger_error *err)
{
    (void)engine;
    return cgroup_remove(row->key, err);
}

static const struct {
    const char *kind;
    int (*release)(struct engine *engine, const struct resource *row, banger_error *err);
} kinds[] = {
    {"process", release_process},
    {"dir", release_dir},
    {"cgroup", release_cgroup},
};

int release_resource(struct engine *engine, const struct resource *row, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].kind, row->kind) == 0) {
            if (kinds[i].release(engine, row, err) < 0) {
                return error_prefix(err, "releasing %s %s: ", row->kind, row->key);
            }
            return journal_gone(engine->store, row->id, err);
        }
    }
    return error_set(err, BANGER_EINTERNAL, "the journal has a %s of the core's, which is unknown",
                     row->kind);
}
