/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sanitizers make every frame several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE ((size_t)2048 * 1024)
#else
#define STACK_SIZE ((size_t)256 * 1024)
#endif

struct pool_job {
    void (*fn)(void *context);
    void *context;
    struct pool_job *next;
};

struct pool {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* a job, or the end */
    pthread_cond_t rest;  /* a thread has become idle or has ended */
    struct pool_job *jobs;
    struct pool_job **jobs_end;
    unsigned int job_count;
    unsigned int thread_max;
    int64_t idle_ms;
    unsigned int threads;
    unsigned int idle;
    bool ending;
    /* The thread that ended last, not joined yet; it has joined the one before it. */
    pthread_t ended;
    bool has_ended;
};

struct pool *pool_new(unsigned int thread_max, int64_t idle_ms)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));
    pool->thread_max = thread_max;
    pool->idle_ms = idle_ms;
    pool->jobs_end = &pool->jobs;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, &monotonic);
    (void)pthread_cond_init(&pool->rest, NULL);
    (void)pthread_condattr_destroy(&monotonic);
    return pool;
}

static struct pool_job *take_job(struct pool *pool)
{
    struct pool_job *job = pool->jobs;
    if (job != NULL) {
        pool->jobs = job->next;
        pool->job_count--;
        if (pool->jobs == NULL) {
            pool->jobs_end = &pool->jobs;
        }
    }
    return job;
}

/* Enters and leaves with the lock held. */
static void run_job(struct pool *pool, struct pool_job *job)
{
    (void)pthread_mutex_unlock(&pool->lock);
    job->fn(job->context);
    free(job);
    (void)pthread_mutex_lock(&pool->lock);
}

/* Waits for a job; NULL when it is time for the thread to end. */
static struct pool_job *await_job(struct pool *pool)
{
    deadline when = deadline_in(pool->idle_ms);
    const struct timespec until = {.tv_sec = when / 1000, .tv_nsec = when % 1000 * 1000000};
    int waited = 0;
    pool->idle++;
    (void)pthread_cond_broadcast(&pool->rest);
    while (pool->jobs == NULL && !pool->ending && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    }
    pool->idle--;
    return take_job(pool);
}

/* Leaves its own handle to be joined by the next that ends, so that none is left unjoined. */
static void thread_end(struct pool *pool)
{
    pthread_t before = pool->ended;
    bool join = pool->has_ended;
    pool->ended = pthread_self();
    pool->has_ended = true;
    pool->threads--;
    (void)pthread_cond_broadcast(&pool->rest);
    (void)pthread_mutex_unlock(&pool->lock);
    if (join) {
        (void)pthread_join(before, NULL);
    }
}

static void *thread_main(void *context)
{
    struct pool *pool = context;
    (void)pthread_setname_np(pthread_self(), "worker");
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct pool_job *job = await_job(pool);
        if (job == NULL) {
            thread_end(pool);
            return NULL;
        }
        run_job(pool, job);
    }
}

/* Signals are the business of the process's first thread. */
static int create_thread(struct pool *pool)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread, &attributes, thread_main, pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return failure;
}

void pool_submit(struct pool *pool, void (*fn)(void *context), void *context)
{
    struct pool_job *job = xcalloc(1, sizeof(*job));
    job->fn = fn;
    job->context = context;
    (void)pthread_mutex_lock(&pool->lock);
    *pool->jobs_end = job;
    pool->jobs_end = &job->next;
    pool->job_count++;
    /* Idle threads that were signalled but have not woken yet are spoken for by queued jobs. */
    if (pool->job_count > pool->idle && pool->threads < pool->thread_max) {
        int failure = create_thread(pool);
        if (failure == 0) {
            pool->threads++;
        } else {
            log_error("cannot create a worker thread: %s; %u are running", strerror(failure),
                      pool->threads);
        }
    }
    (void)pthread_cond_signal(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
}

unsigned int pool_jobs(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    unsigned int jobs = pool->job_count + pool->threads - pool->idle;
    (void)pthread_mutex_unlock(&pool->lock);
    return jobs;
}

/* A thread that was just created counts as busy until it waits for its first job. */
void pool_drain(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->job_count > 0 || pool->threads > pool->idle) {
        if (pool->threads == 0) { /* none could be created */
            run_job(pool, take_job(pool));
        } else {
            (void)pthread_cond_wait(&pool->rest, &pool->lock);
        }
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pool_drain(pool);
    (void)pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    (void)pthread_cond_broadcast(&pool->work);
    while (pool->threads > 0) {
        (void)pthread_cond_wait(&pool->rest, &pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (pool->has_ended) {
        (void)pthread_join(pool->ended, NULL);
    }
    (void)pthread_cond_destroy(&pool->rest);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}
