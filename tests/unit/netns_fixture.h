/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A network namespace of the test program's own: real links, real routes, none of the host's. The
 * group's setup makes it, before there is any thread; the kernel takes it away with the program.
 */
#ifndef TESTS_NETNS_FIXTURE_H
#define TESTS_NETNS_FIXTURE_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "host/alias.h"
#include "host/host.h"
#include "host/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define INSTANCE "0123456789ab"
#define OTHER_INSTANCE "ba9876543210"
#define VM_ID "11112222333344445555666677778888"

static int netns_failure = -1; /* errno of the unshare; 0: there is a namespace */

static inline int netns_setup(void **state)
{
    (void)state;
    netns_failure = unshare(CLONE_NEWNET) < 0 ? errno : 0;
    return 0;
}

#define NETNS_REQUIRE()                                                                            \
    do {                                                                                           \
        if (netns_failure != 0) {                                                                  \
            print_message("no network namespace can be made here: %s\n", strerror(netns_failure)); \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* A host's tool, to make what is foreign and to look at what is ours. */
static inline void netns_run(const char *format, ...) BANGER_PRINTF(1, 2);
static inline void netns_run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *command = str_vformat(format, args);
    va_end(args);
    if (system(command) != 0) { /* NOLINT(cert-env33-c): a test looks with the host's tools */
        fail_msg("%s", command);
    }
}

/* What the command prints, up to 16 KiB; a new string. */
static inline char *netns_ask(const char *command)
{
    char *text = xcalloc(1, 16384);
    FILE *out = popen(command, "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(out);
    text[fread(text, 1, 16383, out)] = '\0';
    (void)pclose(out);
    return text;
}

#define assert_prints(command, part)                                                               \
    do {                                                                                           \
        AUTO_FREE char *printed_ = netns_ask(command);                                             \
        if (strstr(printed_, part) == NULL) {                                                      \
            fail_msg("%s: no '%s' in: %s", command, part, printed_);                               \
        }                                                                                          \
    } while (0)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        banger_error err_ = BANGER_ERROR_INIT;                                                     \
        banger_error *const err = &err_;                                                           \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, err_.message);                                               \
        }                                                                                          \
    } while (0)

/* `call` fails, with `err` as its last argument, that code, and that part in its message. */
#define assert_fails(call, wanted, part)                                                           \
    do {                                                                                           \
        banger_error err_ = BANGER_ERROR_INIT;                                                     \
        banger_error *const err = &err_;                                                           \
        assert_int_equal((call), -1);                                                              \
        if (strstr(err_.message, part) == NULL) {                                                  \
            fail_msg("no '%s' in: %s", part, err_.message);                                        \
        }                                                                                          \
        assert_string_equal(error_code_name(err_.code), error_code_name(wanted));                  \
    } while (0)

/* Waits for what a thread of ours is about to do, at most ten seconds. */
#define assert_soon(condition)                                                                     \
    do {                                                                                           \
        deadline until_ = deadline_in(10000);                                                      \
        while (!(condition)) {                                                                     \
            if (deadline_left_ms(until_) == 0) {                                                   \
                fail_msg("not within 10 s: %s", #condition);                                       \
            }                                                                                      \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

static inline bool netns_has(const char *name)
{
    return if_nametoindex(name) != 0;
}

/* How many links there are whose alias begins with `prefix`, without the loopback. */
static inline size_t netns_count(const char *prefix)
{
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    size_t found = 0;
    assert_ok(link_list(prefix, &links, &count, err));
    for (size_t i = 0; i < count; i++) {
        found += strcmp(links[i].name, "lo") != 0;
    }
    return found;
}

/* Deletes all links but the loopback: the next test starts with none. */
static inline int netns_clear(void **state)
{
    (void)state;
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    if (netns_failure != 0) {
        return 0;
    }
    assert_ok(link_list("", &links, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(links[i].name, "lo") != 0) {
            assert_ok(link_delete(&links[i], err));
        }
    }
    return 0;
}

/* Whatever there is, but the loopback, has our alias: whoever looks for it finds it. */
static inline void assert_all_ours(void)
{
    AUTO_FREE struct link *links = NULL;
    size_t count = 0;
    assert_ok(link_list("", &links, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(links[i].name, "lo") != 0 &&
            !str_starts(links[i].alias, "banger:" INSTANCE ":")) {
            fail_msg("'%s' is left with the alias '%s'", links[i].name, links[i].alias);
        }
    }
}

/* -- kill -9 ---------------------------------------------------------------------------------------- */

typedef int (*netns_step)(banger_error *err);

static inline void netns_child(netns_step step)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)raise(SIGSTOP);
    _exit(step(NULL) == 0 ? 0 : 1);
}

/* Runs `step` in a child until it has made `calls` system calls, and kills it there. False: the child
 * has come to its end before. */
static inline bool netns_kill_at(netns_step step, unsigned calls)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        netns_child(step);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    for (unsigned i = 0; i < 2 * calls && WIFSTOPPED(status); i++) { /* a stop before, one behind */
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (!WIFSTOPPED(status)) {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
    }
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return true;
}

/* Kills `step` after each of its system calls; `check` looks at what is then there, and cleans up.
 * Returns how many there were. */
static inline unsigned netns_kill_everywhere(netns_step step, void (*check)(void))
{
    unsigned calls = 0;
    while (netns_kill_at(step, calls)) {
        check();
        calls++;
    }
    check();
    return calls;
}

/* Whether a child can be traced here; ptrace(2) may be forbidden. */
static inline bool netns_can_trace(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define TRACE_REQUIRE()                                                                            \
    do {                                                                                           \
        if (!netns_can_trace()) {                                                                  \
            print_message("no process can be traced here\n");                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#endif
