/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

#define GUARD_MS 10000 /* ends a loop that a defect would leave waiting for ever */

struct fixture {
    struct loop *loop;
    struct loop_timer *guard;
    bool guarded;
    char trace[64]; /* one letter a callback */
};

static void trace(struct fixture *f, char letter)
{
    size_t length = strlen(f->trace);
    assert_true(length + 1 < sizeof(f->trace));
    f->trace[length] = letter;
}

static void on_guard(void *context)
{
    struct fixture *f = context;
    f->guarded = true;
    loop_stop(f->loop);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->loop = loop_new(NULL);
    f->guard = loop_timer_add(f->loop, deadline_in(GUARD_MS), on_guard, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    free(f);
    return 0;
}

static void run(struct fixture *f)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(loop_run(f->loop, &err), 0);
    assert_false(f->guarded);
}

static void on_stop(void *context)
{
    struct fixture *f = context;
    trace(f, 's');
    loop_stop(f->loop);
}

static void on_a(void *context)
{
    trace(context, 'a');
}

static void on_b(void *context)
{
    trace(context, 'b');
}

static void on_c(void *context)
{
    trace(context, 'c');
}

static void posts_run_in_order(void **state)
{
    struct fixture *f = *state;
    loop_post(f->loop, on_a, f);
    loop_post(f->loop, on_b, f);
    loop_post(f->loop, on_c, f);
    loop_post(f->loop, on_stop, f);
    run(f);
    assert_string_equal(f->trace, "abcs");
}

static void timers_fire_by_time_then_by_age(void **state)
{
    struct fixture *f = *state;
    deadline soon = deadline_in(5);
    (void)loop_timer_add(f->loop, soon + 5, on_stop, f);
    (void)loop_timer_add(f->loop, soon, on_b, f);
    (void)loop_timer_add(f->loop, soon, on_c, f);
    (void)loop_timer_add(f->loop, soon - 5, on_a, f);
    run(f);
    assert_string_equal(f->trace, "abcs");
    assert_true(clock_mono_ms() >= soon + 5);
}

static void a_cancelled_timer_never_fires(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *timers[32];
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        timers[i] = loop_timer_add(f->loop, deadline_in((int64_t)(i * 7) % 5), on_a, f);
    }
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        if (i != 9) {
            loop_timer_cancel(timers[i]);
        }
    }
    loop_timer_cancel(NULL);
    (void)loop_timer_add(f->loop, deadline_in(20), on_stop, f);
    run(f);
    assert_string_equal(f->trace, "as");
}

static void on_repeat(void *context)
{
    struct fixture *f = context;
    trace(f, 'r');
    if (strlen(f->trace) < 4) {
        (void)loop_timer_add(f->loop, deadline_in(0), on_repeat, f);
    } else {
        loop_stop(f->loop);
    }
}

/* A timer that is due at once and adds itself again must not keep descriptors and posts out. */
static void a_timer_that_renews_itself_waits_a_turn(void **state)
{
    struct fixture *f = *state;
    (void)loop_timer_add(f->loop, deadline_in(0), on_repeat, f);
    loop_post(f->loop, on_a, f);
    run(f);
    assert_int_equal(strlen(f->trace), 4);
    assert_non_null(strchr(f->trace, 'a'));
}

struct pipe_watch {
    struct fixture *f;
    struct loop_watch *watch;
    struct loop_watch **victim; /* removed from within the callback */
    int fds[2];
    int calls;
};

static void on_pipe(void *context, uint32_t events)
{
    struct pipe_watch *p = context;
    assert_true((events & EPOLLIN) != 0);
    p->calls++;
    if (p->victim != NULL) {
        loop_watch_remove(*p->victim);
        *p->victim = NULL;
    }
    loop_watch_remove(p->watch);
    p->watch = NULL;
    loop_post(p->f->loop, on_stop, p->f);
}

static void pipe_open(struct fixture *f, struct pipe_watch *p)
{
    *p = (struct pipe_watch){.f = f};
    assert_int_equal(pipe2(p->fds, O_CLOEXEC), 0);
    p->watch = loop_watch_add(f->loop, p->fds[0], EPOLLIN, on_pipe, p, NULL);
    assert_non_null(p->watch);
}

static void pipe_close(struct pipe_watch *p)
{
    loop_watch_remove(p->watch);
    close(p->fds[0]);
    close(p->fds[1]);
}

/* Both are ready in the same turn; whichever runs first removes the other and itself. */
static void a_watch_removed_by_another_is_not_called(void **state)
{
    struct fixture *f = *state;
    struct pipe_watch one;
    struct pipe_watch two;
    pipe_open(f, &one);
    pipe_open(f, &two);
    one.victim = &two.watch;
    two.victim = &one.watch;
    assert_int_equal(write(one.fds[1], "x", 1), 1);
    assert_int_equal(write(two.fds[1], "x", 1), 1);
    run(f);
    assert_int_equal(one.calls + two.calls, 1);
    pipe_close(&one);
    pipe_close(&two);
}

static void a_watch_set_to_nothing_is_silent(void **state)
{
    struct fixture *f = *state;
    struct pipe_watch p;
    pipe_open(f, &p);
    loop_watch_set(p.watch, 0);
    assert_int_equal(write(p.fds[1], "x", 1), 1);
    (void)loop_timer_add(f->loop, deadline_in(10), on_stop, f);
    run(f);
    assert_int_equal(p.calls, 0);
    loop_watch_set(p.watch, EPOLLIN);
    run(f);
    assert_int_equal(p.calls, 1);
    pipe_close(&p);
}

static void a_bad_descriptor_is_an_error(void **state)
{
    struct fixture *f = *state;
    banger_error err = BANGER_ERROR_INIT;
    assert_null(loop_watch_add(f->loop, -1, EPOLLIN, on_pipe, NULL, &err));
    assert_int_equal(err.code, BANGER_EIO);
    assert_non_null(strstr(err.message, "cannot watch"));
}

#define POSTERS 4
#define POSTS 2000

struct counter {
    struct fixture *f;
    int count; /* of the loop's thread alone */
};

static void on_count(void *context)
{
    struct counter *counter = context;
    if (++counter->count == POSTERS * POSTS) {
        loop_stop(counter->f->loop);
    }
}

static void *post_many(void *context)
{
    struct counter *counter = context;
    for (int i = 0; i < POSTS; i++) {
        loop_post(counter->f->loop, on_count, counter);
    }
    return NULL;
}

static void no_post_of_any_thread_is_lost(void **state)
{
    struct counter counter = {.f = *state};
    pthread_t threads[POSTERS];
    for (size_t i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &counter), 0);
    }
    run(counter.f);
    for (size_t i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter.count, POSTERS * POSTS);
}

static void pending_work_is_freed_with_the_loop(void **state)
{
    struct fixture *f = *state; /* what would leak is for the sanitizer to see */
    loop_post(f->loop, on_a, f);
    (void)loop_timer_add(f->loop, DEADLINE_NONE, on_a, f);
    assert_string_equal(f->trace, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posts_run_in_order),
        TEST(timers_fire_by_time_then_by_age),
        TEST(a_cancelled_timer_never_fires),
        TEST(a_timer_that_renews_itself_waits_a_turn),
        TEST(a_watch_removed_by_another_is_not_called),
        TEST(a_watch_set_to_nothing_is_silent),
        TEST(a_bad_descriptor_is_an_error),
        TEST(no_post_of_any_thread_is_lost),
        TEST(pending_work_is_freed_with_the_loop),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
