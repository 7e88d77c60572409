/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate_keeper.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>

#define GRACE_MS 2000 /* of a process that was let go, to run its `stop` */

struct grave {
    struct grave *next;
    int pidfd;
    deadline patience; /* when it is killed; DEADLINE_NONE: it was */
};

struct task {
    struct task *next;
    void (*fn)(void *context);
    void *context;
    bool done;
};

/* One thread is there at a time: held while it is started, and until it has ended. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
/* Guards all below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int holds;
static pthread_t thread;
static int wake_fd = -1;
static struct task *tasks;
static struct grave *brought; /* not seen by the thread yet */

/* -- The thread ----------------------------------------------------------------------------------- */

/* Does what is asked for. With the lock held. */
static void do_tasks(void)
{
    while (tasks != NULL) {
        struct task *task = tasks;
        tasks = task->next;
        (void)pthread_mutex_unlock(&lock);
        task->fn(task->context);
        (void)pthread_mutex_lock(&lock);
        task->done = true;
        (void)pthread_cond_broadcast(&changed);
    }
}

/* Reaps what has ended and kills what does not end; gives when to look again. */
static deadline tend(struct grave **list)
{
    deadline next = DEADLINE_NONE;
    for (struct grave **at = list; *at != NULL;) {
        struct grave *grave = *at;
        if (deadline_left_ms(grave->patience) == 0) {
            (void)pidfd_send_signal(grave->pidfd, SIGKILL, NULL, 0);
            grave->patience = DEADLINE_NONE;
        }
        if (process_wait(grave->pidfd, 0, NULL, NULL) == 0) {
            *at = grave->next;
            (void)close(grave->pidfd);
            free(grave);
            continue;
        }
        next = grave->patience < next ? grave->patience : next;
        at = &grave->next;
    }
    return next;
}

/* Until something is brought, one of them ends, or `until`. */
static void rest(const struct grave *list, deadline until)
{
    size_t count = 1;
    for (const struct grave *grave = list; grave != NULL; grave = grave->next) {
        count++;
    }
    AUTO_FREE struct pollfd *polled = xcalloc(count, sizeof(*polled));
    polled[0] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    for (size_t i = 1; list != NULL; list = list->next) {
        polled[i++] = (struct pollfd){.fd = list->pidfd, .events = POLLIN};
    }
    (void)poll(polled, count, deadline_poll_ms(until));
    eventfd_t ignored = 0;
    (void)eventfd_read(wake_fd, &ignored); /* non-blocking */
}

static void *keeper_main(void *context)
{
    (void)context;
    struct grave *graves = NULL;
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        do_tasks();
        while (brought != NULL) {
            struct grave *grave = brought;
            brought = grave->next;
            grave->next = graves;
            graves = grave;
        }
        bool over = holds == 0 && graves == NULL;
        (void)pthread_mutex_unlock(&lock);
        if (over) {
            return NULL;
        }
        bool idle = graves == NULL;
        deadline next = tend(&graves);
        if (idle ||
            graves != NULL) { /* otherwise the last one is gone: perhaps it was waited for */
            rest(graves, next);
        }
    }
}

/* -- Its callers ---------------------------------------------------------------------------------- */

static int start_thread(banger_error *err)
{
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        return error_sys(err, errno, "cannot create an eventfd");
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, NULL, keeper_main, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        (void)close(STEAL_FD(wake_fd));
        return error_sys(err, failed, "cannot start a thread for isolated plugins");
    }
    return 0;
}

int keeper_hold(banger_error *err)
{
    (void)pthread_mutex_lock(&life);
    (void)pthread_mutex_lock(&lock);
    int result = holds > 0 ? 0 : start_thread(err);
    holds += result == 0;
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_mutex_unlock(&life);
    return result;
}

void keeper_release(void)
{
    (void)pthread_mutex_lock(&life);
    (void)pthread_mutex_lock(&lock);
    bool last = --holds == 0;
    (void)eventfd_write(wake_fd, 1);
    (void)pthread_mutex_unlock(&lock);
    if (last) {
        (void)pthread_join(thread, NULL);
        (void)close(STEAL_FD(wake_fd));
    }
    (void)pthread_mutex_unlock(&life);
}

void keeper_run(void (*fn)(void *context), void *context)
{
    struct task task = {.fn = fn, .context = context};
    (void)pthread_mutex_lock(&lock);
    struct task **end = &tasks;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = &task;
    (void)eventfd_write(wake_fd, 1);
    while (!task.done) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

void keeper_bury(int pidfd)
{
    struct grave *grave = xcalloc(1, sizeof(*grave));
    grave->pidfd = pidfd;
    grave->patience = deadline_in(GRACE_MS);
    (void)pthread_mutex_lock(&lock);
    grave->next = brought;
    brought = grave;
    (void)eventfd_write(wake_fd, 1);
    (void)pthread_mutex_unlock(&lock);
}
