/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real banger-agent as a process, and a channel to it on a loop of its own thread. */
#ifndef TESTS_AGENT_FIXTURE_H
#define TESTS_AGENT_FIXTURE_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/frame.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/unix.h"
#include "guest/channel.h"
#include "guest/session.h"
#include "temp_dir.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CALL_LIMIT (1 << 20)
#define PATIENCE_MS 20000 /* never waited for, unless something hangs */

struct agent_fixture {
    struct temp_dir dir;
    pid_t pid;
    struct loop *loop;
    pthread_t thread;
    struct channel *channel;
};

static inline void *fixture_loop(void *context)
{
    (void)loop_run(context, NULL);
    return NULL;
}

static inline void fixture_stop_loop(void *context)
{
    loop_stop(context);
}

static inline pid_t fixture_start_agent(const char *socket)
{
    const char *build = getenv("BANGER_BUILD");
    char program[PATH_MAX];
    (void)snprintf(program, sizeof(program), "%s/bin/banger-agent",
                   build != NULL ? build : "build");
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no agent behind */
        (void)execl(program, program, "--serve-unix", socket, (char *)NULL);
        perror(program);
        _exit(127);
    }
    return pid;
}

static inline struct channel *fixture_channel(struct agent_fixture *fixture, const char *transport,
                                              const char *path)
{
    json_t *agent = json_pack("{s:s, s:s}", "transport", transport, "path", path);
    banger_error err = BANGER_ERROR_INIT;
    struct channel *channel = channel_open(fixture->loop, fixture->dir.path, agent, &err);
    json_decref(agent);
    if (channel == NULL) {
        fail_msg("%s", err.message);
    }
    return channel;
}

static inline void fixture_start_loop(struct agent_fixture *fixture)
{
    fixture->loop = loop_new(NULL);
    assert_non_null(fixture->loop);
    assert_int_equal(pthread_create(&fixture->thread, NULL, fixture_loop, fixture->loop), 0);
}

static inline void fixture_end_loop(struct agent_fixture *fixture)
{
    loop_post(fixture->loop, fixture_stop_loop, fixture->loop); /* behind the channels' ends */
    (void)pthread_join(fixture->thread, NULL);
    loop_free(fixture->loop);
}

static inline int agent_setup(void **state)
{
    struct agent_fixture *fixture = xcalloc(1, sizeof(*fixture));
    banger_error err = BANGER_ERROR_INIT;
    temp_dir_make(&fixture->dir);
    fixture->pid = fixture_start_agent(temp_dir_at(&fixture->dir, "agent.sock"));
    fixture_start_loop(fixture);
    fixture->channel = fixture_channel(fixture, "unix", "agent.sock");
    if (channel_wait_ready(fixture->channel, deadline_in(PATIENCE_MS), NULL, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
    *state = fixture;
    return 0;
}

static inline int agent_teardown(void **state)
{
    struct agent_fixture *fixture = *state;
    channel_close(fixture->channel);
    fixture_end_loop(fixture);
    (void)kill(fixture->pid, SIGKILL);
    (void)waitpid(fixture->pid, NULL, 0);
    temp_dir_remove(&fixture->dir);
    free(fixture);
    return 0;
}

/* The OPEN payload for `sh -c SCRIPT`. */
static inline struct buf shell_request(const char *script, bool with_stdin)
{
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script, NULL};
    struct exec_request request = {.argv = argv, .with_stdin = with_stdin};
    struct buf out = BUF_INIT;
    assert_int_equal(exec_encode(&request, &out, NULL), 0);
    return out;
}

/* Runs a script with `input` as its stdin and fills `result`. */
static inline void shell(struct agent_fixture *fixture, const char *script, const char *input,
                         struct channel_result *result)
{
    struct buf request = shell_request(script, input != NULL);
    banger_error err = BANGER_ERROR_INIT;
    int failed = channel_call(fixture->channel, SERVICE_EXEC, request.data, request.length, input,
                              input != NULL ? strlen(input) : 0, CALL_LIMIT,
                              deadline_in(PATIENCE_MS), result, &err);
    buf_free(&request);
    if (failed < 0) {
        fail_msg("%s", err.message);
    }
}

static inline int shell_stream(struct agent_fixture *fixture, const char *script)
{
    struct buf request = shell_request(script, true);
    banger_error err = BANGER_ERROR_INIT;
    int fd =
        channel_open_stream(fixture->channel, SERVICE_EXEC, request.data, request.length, &err);
    buf_free(&request);
    if (fd < 0) {
        fail_msg("%s", err.message);
    }
    return fd;
}

static inline const char *text_of(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

#endif
