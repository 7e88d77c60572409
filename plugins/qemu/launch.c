/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch:
 *
 * 1. Watch vm.run_dir (QEMU's control socket will appear there) and the log (its last writer's end
 *    is QEMU's end, since nobody else holds it).
 * 2. host->spawn QEMU with vm.run_dir as its working directory.
 * 3. At each event try the control socket; once it greets, the guest's processors run.
 * 4. When the log was closed and nobody listens, QEMU has ended: the error is the log's tail.
 */
#include "qemu.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640
#define TAIL_BYTES 600 /* of the log, for the error text */

/* Between two looks at cancellation; a lost event costs no more than this either. */
#define TICK_MS 250

struct launch {
    const struct banger_host *host;
    struct banger_call *call;
    const char *run_dir;
    char log[PATH_MAX];
    off_t log_start; /* what earlier runs wrote ends here */
    int events;
    int log_watch;
};

/* Keeps printable text and joins the lines: what a VMM prints must not drive the terminal. */
static void make_printable(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\n' && from[1] != '\0') {
            *to++ = ';';
            *to++ = ' ';
            while (from[1] == '\n') {
                from++;
            }
        } else if ((unsigned char)*from >= ' ' && *from != 0x7f) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* The last of what this run wrote, in one line; "" when it wrote nothing. `tail` has room for every
 * newline to become two characters. */
static void read_tail(const struct launch *launch, char tail[2 * TAIL_BYTES + 1])
{
    int fd = open(launch->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t start = end - TAIL_BYTES > launch->log_start ? end - TAIL_BYTES : launch->log_start;
    ssize_t got = end > start ? pread(fd, tail, TAIL_BYTES, start) : 0;

    tail[got > 0 ? got : 0] = '\0';
    make_printable(tail);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int fail_with_tail(const struct launch *launch, int code, const char *what)
{
    char tail[2 * TAIL_BYTES + 1];

    read_tail(launch, tail);
    launch->host->hint(launch->call, "QEMU's own log is %s", launch->log);
    return launch->host->fail(launch->call, code, "%s: %s", what,
                              *tail != '\0' ? tail : "it printed nothing");
}

/* Makes the log so that it can be watched, and notes where this run begins in it. */
static int open_log(struct launch *launch)
{
    const char *dir = launch->host->get_string(launch->call, "vm.dir", "");
    struct stat status = {0};
    int fd;

    if (snprintf(launch->log, sizeof(launch->log), "%s/vmm.log", dir) >= (int)sizeof(launch->log)) {
        return launch->host->fail(launch->call, BANGER_EINVALID,
                                  "the path of the VM's folder is too long: %s", dir);
    }
    fd = open(launch->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return launch->host->fail(launch->call, BANGER_EIO, "cannot write %s: %s", launch->log,
                                  strerror(errno));
    }
    launch->log_start = status.st_size;
    (void)close(fd);
    return 0;
}

static int watch(struct launch *launch)
{
    launch->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (launch->events < 0 ||
        inotify_add_watch(launch->events, launch->run_dir, IN_CREATE | IN_ONLYDIR) < 0 ||
        (launch->log_watch = inotify_add_watch(launch->events, launch->log, IN_CLOSE_WRITE)) < 0) {
        return launch->host->fail(launch->call, BANGER_EIO, "cannot watch %s: %s", launch->run_dir,
                                  strerror(errno));
    }
    return 0;
}

/* Waits for an event, at most TICK_MS; true when one said that the log has lost its last writer. */
static bool log_was_closed(const struct launch *launch)
{
    struct pollfd entry = {.fd = launch->events, .events = POLLIN};
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool closed = false;
    ssize_t got;

    (void)poll(&entry, 1, TICK_MS);
    while ((got = read(launch->events, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(buffer + at);

            closed = closed || event->wd == launch->log_watch;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return closed;
}

/* QEMU opens its sockets before the machine and answers once the machine runs. */
static enum qmp_result greet(const struct launch *launch)
{
    struct qmp qmp;
    enum qmp_result result =
        qmp_open(&qmp, launch->run_dir, qmp_patience_ms(launch->host, launch->call));

    if (result == QMP_OK) {
        qmp_close(&qmp);
    }
    return result;
}

static int wait_until_it_runs(const struct launch *launch)
{
    const struct banger_host *host = launch->host;
    bool ended = false;

    for (;;) {
        enum qmp_result result = greet(launch);

        if (result == QMP_OK) {
            return 0;
        }
        if (ended || result == QMP_BROKEN) {
            return fail_with_tail(launch, BANGER_EIO, "QEMU ended at once");
        }
        if (host->remaining_ms(launch->call) == 0) {
            return fail_with_tail(launch, BANGER_ETIMEDOUT,
                                  "QEMU did not begin to answer before the deadline");
        }
        if (host->cancelled(launch->call)) {
            return host->fail(launch->call, BANGER_ECANCELLED, "the start was cancelled");
        }
        ended = log_was_closed(launch);
    }
}

static json_t *build_argv(const struct launch *launch)
{
    const struct banger_host *host = launch->host;
    json_auto_t *machine = banger_json_get(host, launch->call, "machine");
    struct qemu_program program;
    struct qemu_accel accel;
    const char *reason = NULL;
    json_t *argv;

    if (program_find(host, launch->call, &program) < 0 ||
        accel_choose(host, launch->call, program.path, &accel) < 0) {
        return NULL;
    }
    argv = argv_build(machine,
                      &(struct qemu_options){
                          .program = program.path,
                          .vm_name = host->get_string(launch->call, "vm.name", "banger"),
                          .vm_id = host->get_string(launch->call, "vm.id", ""),
                          .kvm = accel.kvm,
                          .sandbox = program.sandbox,
                      },
                      &reason);
    if (argv == NULL) {
        (void)host->fail(launch->call, BANGER_EINVALID, "qemu cannot run this machine: %s", reason);
    }
    return argv;
}

static int spawn_and_wait(struct launch *launch)
{
    json_t *argv = build_argv(launch);

    if (argv == NULL || open_log(launch) < 0 || watch(launch) < 0) {
        json_decref(argv);
        return -1;
    }
    if (banger_json_spawn(launch->host, launch->call, argv,
                          json_pack("{s:s, s:s, s:s}", "role", "vmm", "log", launch->log, "cwd",
                                    launch->run_dir)) < 0) {
        return -1;
    }
    return wait_until_it_runs(launch);
}

int qemu_launch(const struct banger_host *host, struct banger_call *call)
{
    struct launch launch = {.host = host,
                            .call = call,
                            .run_dir = host->get_string(call, "vm.run_dir", ""),
                            .events = -1};
    int result = spawn_and_wait(&launch);

    if (launch.events >= 0) {
        (void)close(launch.events);
    }
    if (result < 0) {
        return -1;
    }
    return banger_json_store(
        host, call, "agent",
        json_pack("{s:s, s:s}", "transport", "unix", "path", QEMU_AGENT_SOCKET));
}
