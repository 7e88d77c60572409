/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "helper.h"

#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_MAX 4
#define IDLE_SECONDS 30

struct helper {
    struct helper *next; /* in the list of idle ones */
    pthread_t thread;
    pthread_cond_t wake;
    helper_fn fn; /* NULL: nothing to do */
    void *context;
    bool quit; /* someone waits to join it */
};

/* Guards the list and every helper's fields. */
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct helper *idle_list;
static int idle_count;

static void idle_remove(struct helper *helper)
{
    struct helper **at = &idle_list;
    while (*at != helper) {
        at = &(*at)->next;
    }
    *at = helper->next;
    idle_count--;
}

/* Waits in the list for work. False: none came, or there are idle ones enough; the helper is not in
 * the list and ends. With the lock held. */
static bool wait_for_work(struct helper *helper)
{
    if (idle_count >= IDLE_MAX) {
        return false;
    }
    helper->next = idle_list;
    idle_list = helper;
    idle_count++;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    int waited = 0;
    while (helper->fn == NULL && !helper->quit && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&helper->wake, &pool_lock, &until);
    }
    if (helper->fn == NULL && !helper->quit) {
        idle_remove(helper);
    }
    return helper->fn != NULL;
}

static void *helper_main(void *context)
{
    struct helper *helper = context;
    (void)pthread_mutex_lock(&pool_lock);
    do {
        helper_fn fn = helper->fn;
        void *work = helper->context;
        helper->fn = NULL;
        (void)pthread_mutex_unlock(&pool_lock);
        fn(work);
        (void)pthread_mutex_lock(&pool_lock);
    } while (wait_for_work(helper));
    bool joined = helper->quit;
    if (!joined) {
        (void)pthread_detach(helper->thread);
    }
    (void)pthread_mutex_unlock(&pool_lock);
    if (!joined) {
        (void)pthread_cond_destroy(&helper->wake);
        free(helper);
    }
    return NULL;
}

/* Starts a helper with work. With the lock held, so that it finds itself whole. */
static int helper_new(helper_fn fn, void *context)
{
    struct helper *helper = xcalloc(1, sizeof(*helper));
    helper->fn = fn;
    helper->context = context;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&helper->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&helper->thread, NULL, helper_main, helper);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        (void)pthread_cond_destroy(&helper->wake);
        free(helper);
    }
    return failed;
}

int helper_run(helper_fn fn, void *context, banger_error *err)
{
    (void)pthread_mutex_lock(&pool_lock);
    struct helper *helper = idle_list;
    int failed = 0;
    if (helper != NULL) {
        idle_remove(helper);
        helper->fn = fn;
        helper->context = context;
        (void)pthread_cond_signal(&helper->wake);
    } else {
        failed = helper_new(fn, context);
    }
    (void)pthread_mutex_unlock(&pool_lock);
    return failed == 0 ? 0 : error_sys(err, failed, "cannot start a thread for hooks");
}

void helper_drain(void)
{
    (void)pthread_mutex_lock(&pool_lock);
    while (idle_list != NULL) {
        struct helper *helper = idle_list;
        idle_remove(helper);
        helper->quit = true;
        (void)pthread_cond_signal(&helper->wake);
        (void)pthread_mutex_unlock(&pool_lock);
        (void)pthread_join(helper->thread, NULL);
        (void)pthread_cond_destroy(&helper->wake);
        free(helper);
        (void)pthread_mutex_lock(&pool_lock);
    }
    (void)pthread_mutex_unlock(&pool_lock);
}
