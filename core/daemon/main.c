/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bangerd [--ready-fd N]
 *
 * Runs in the foreground, logs to stderr. With --ready-fd it writes "ready\n" there once requests
 * are served, or the reason why not, and closes it: how `banger` (which starts it) and a service
 * manager know.
 */
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/daemon.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

struct options {
    int ready_fd; /* -1: none */
};

static const char usage[] =
    "Usage: bangerd [--ready-fd N]\n"
    "\n"
    "The daemon of banger. It is started by `banger` when it is needed, or by a service manager.\n"
    "\n"
    "  --ready-fd N  write 'ready' to this descriptor once requests are served\n"
    "  --version     print the version\n"
#ifdef BANGER_FAULTS
    "  --failpoints  list the places where BANGER_FAULT can strike\n"
#endif
    "  --help        print this\n"
    "\n"
    "Running VMs go on when it ends, and are taken up again when it comes back.\n"
    "Its configuration: config.lua in /etc/banger (root), ~/.config/banger or $BANGER_HOME.\n";

/* 0: go on; 1: done (help, version); -1: wrong usage. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"ready-fd", required_argument, NULL, 'r'},
                                          {"version", no_argument, NULL, 'v'},
#ifdef BANGER_FAULTS
                                          {"failpoints", no_argument, NULL, 'f'},
#endif
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int64_t number = 0;
    banger_error err = BANGER_ERROR_INIT;
    for (int c = getopt_long(argc, argv, "", known, NULL); c != -1;
         c = getopt_long(argc, argv, "", known, NULL)) {
        switch (c) {
        case 'r':
            if (number_parse("--ready-fd", optarg, 0, 1 << 20, &number, &err) < 0) {
                (void)fprintf(stderr, "error: %s\n", err.message);
                return -1;
            }
            options->ready_fd = (int)number;
            (void)fcntl(options->ready_fd, F_SETFD, FD_CLOEXEC);
            break;
        case 'v':
            (void)puts("bangerd " BANGER_VERSION);
            return 1;
#ifdef BANGER_FAULTS
        case 'f':
            failpoint_list(stdout);
            return 1;
#endif
        case 'h':
            (void)fputs(usage, stdout);
            return 1;
        default:
            return -1;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "error: unexpected argument '%s'\nhint: bangerd --help\n",
                      argv[optind]);
        return -1;
    }
    return 0;
}

static void tell_ready(struct options *options, const banger_error *failure)
{
    if (options->ready_fd >= 0) {
        AUTO_FREE char *text = failure == NULL
                                   ? xstrdup("ready\n")
                                   : str_format("%s\n%s\n", failure->message, failure->hint);
        (void)fd_write_all(options->ready_fd, text, strlen(text), NULL);
        (void)close(STEAL_FD(options->ready_fd));
    }
}

struct start {
    struct daemon *daemon;
    struct options *options;
    banger_error failure;
};

static void stop_loop(void *context)
{
    loop_stop(((struct daemon *)context)->loop);
}

/* On a worker: a VM whose cleanup takes long must not keep the loop from serving. */
static void reconcile(void *context)
{
    struct start *start = context;
    int result = lifecycle_reconcile(&start->daemon->engine, &start->failure);
    failpoint_kill("daemon", "reconciled");
    daemon_set_ready(start->daemon);
    if (result < 0) {
        loop_post(start->daemon->loop, stop_loop, start->daemon);
        return;
    }
    log_info("bangerd %s serves %s", BANGER_VERSION, start->daemon->layout.state_dir);
    rounds_begin(start->daemon->rounds);
    tell_ready(start->options, NULL);
}

static void on_signal(void *context, uint32_t events)
{
    (void)events;
    struct daemon *daemon = context;
    log_info("ending; running VMs go on");
    loop_stop(daemon->loop);
}

/* TERM, INT and HUP end us in order; PIPE is an ordinary write error. */
static int block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(struct daemon *daemon, struct options *options, int signals, banger_error *err)
{
    struct start start = {.daemon = daemon, .options = options};
    struct loop_watch *watch =
        loop_watch_add(daemon->loop, signals, EPOLLIN, on_signal, daemon, err);
    if (watch == NULL) {
        return -1;
    }
    daemon->rounds = rounds_new(&daemon->engine);
    rpc_server_defer(daemon->server, reconcile, &start);
    int result = loop_run(daemon->loop, err);
    rounds_stop(daemon->rounds);
    loop_watch_remove(watch);
    /* Waits for the workers, `start` among them; until then they ask for it. */
    rpc_server_free(daemon->server);
    daemon->server = NULL;
    if (start.failure.code != 0) {
        *err = start.failure;
        return -1;
    }
    return result;
}

/* A burst of workers must not leave an arena each behind (the idle daemon has a budget of 10 MiB),
 * and a thousand VMs and clients need more descriptors than the usual soft limit of 1,024. */
static void set_limits(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    struct options options = {.ready_fd = -1};
    int parsed = parse_options(argc, argv, &options);
    if (parsed != 0) {
        return parsed < 0 ? 2 : 0;
    }
    (void)umask(0077);
    set_limits();
    AUTO_CLOSE int signals = block_signals();
    struct daemon daemon;
    banger_error err = BANGER_ERROR_INIT;
    int result = daemon_open(&daemon, &err);
    if (result == 0) {
        result = serve(&daemon, &options, signals, &err);
    }
    if (result < 0) {
        log_error("%s%s%s", err.message, err.hint[0] != '\0' ? "; " : "", err.hint);
        tell_ready(&options, &err);
    }
    daemon_close(&daemon);
    return result < 0 ? 1 : 0;
}
