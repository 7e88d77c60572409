/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server.h"

#include "doomed.h"
#include "mux.h"
#include "pollset.h"
#include "power.h"
#include "say.h"
#include "transport.h"
#include "uevent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16

struct server {
    struct mux *muxes[CONNECTIONS_MAX];
    size_t count;
    int signals;
    int listener; /* -1: none */
    int uevents;  /* open until the port has been found */
    bool once;    /* ends with its connection */
};

static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (getpid() == 1) {
        sigaddset(&set, SIGINT); /* the kernel's Ctrl-Alt-Del */
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
        sigaddset(&set, SIGPWR);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int exit_status(const siginfo_t *child)
{
    return child->si_code == CLD_EXITED ? child->si_status : 128 + child->si_status;
}

static void reap(struct server *server)
{
    siginfo_t child = {0};
    while (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 && child.si_pid != 0) {
        doomed_ended(child.si_pid);
        (void)waitpid(child.si_pid, NULL, 0);
        bool known = false;
        for (size_t i = 0; i < server->count && !known; i++) {
            known = mux_child_ended(server->muxes[i], child.si_pid, exit_status(&child));
        }
        child.si_pid = 0;
    }
}

static void take_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD) {
            /* `poweroff` in the guest (busybox's, SIGUSR2) restarts too: every VMM of ours ends
             * then, while not every machine can power itself off. */
            power_end(info.ssi_signo == SIGPWR);
        }
    }
    reap(server);
}

static void add_connection(struct server *server, int link, int reply, bool persistent)
{
    struct mux *mux = NULL;
    if (server->count < CONNECTIONS_MAX) {
        mux = mux_new(link, reply, persistent);
    } else {
        (void)close(link);
    }
    if (mux != NULL) {
        server->muxes[server->count++] = mux;
    }
}

/* The port's name comes some time after its driver: each uevent is a reason to look again. */
static void find_port(struct server *server)
{
    int port = transport_open_port();
    if (port >= 0) {
        add_connection(server, port, port, true);
        if (server->uevents >= 0) {
            (void)close(server->uevents);
            server->uevents = -1;
        }
    }
}

static void open_guest_transports(struct server *server)
{
    server->listener = transport_listen_vsock();
    server->uevents = uevent_open();
    find_port(server);
}

static void accept_connection(struct server *server)
{
    int fd = transport_accept(server->listener);
    if (fd >= 0) {
        add_connection(server, fd, fd, false);
    }
}

static void drop_ended(struct server *server)
{
    for (size_t i = 0; i < server->count;) {
        if (mux_is_over(server->muxes[i])) {
            mux_free(server->muxes[i]);
            server->muxes[i] = server->muxes[--server->count];
        } else {
            i++;
        }
    }
}

static int add_if_open(struct pollset *set, int fd)
{
    return fd >= 0 ? pollset_add(set, fd, POLLIN) : POLLSET_NONE;
}

static void serve_round(struct server *server, struct pollset *set)
{
    set->count = 0;
    int signals = pollset_add(set, server->signals, POLLIN);
    int listener = add_if_open(set, server->listener);
    int uevents = add_if_open(set, server->uevents);
    for (size_t i = 0; i < server->count; i++) {
        mux_interest(server->muxes[i], set);
    }
    if (poll(set->fds, set->count, doomed_poll_ms()) < 0) {
        return; /* EINTR, ENOMEM: again */
    }
    doomed_expire();
    /* Before the connections are served, which also sends what is queued here. */
    if (pollset_ready(set, signals) != 0) {
        take_signals(server);
    }
    for (size_t i = 0; i < server->count; i++) {
        mux_serve(server->muxes[i], set);
    }
    drop_ended(server);
    if (pollset_ready(set, uevents) != 0) {
        uevent_drain(server->uevents);
        find_port(server);
    }
    if (pollset_ready(set, listener) != 0) {
        accept_connection(server);
    }
}

int server_run(const struct server_options *options)
{
    struct server server = {.listener = -1, .uevents = -1, .once = options->stdio};
    struct pollset set = {0};
    server.signals = watch_signals();
    if (options->stdio) {
        transport_unblock(STDIN_FILENO);
        transport_unblock(STDOUT_FILENO);
        add_connection(&server, STDIN_FILENO, STDOUT_FILENO, false);
    } else if (options->unix_path != NULL) {
        server.listener = transport_listen_unix(options->unix_path);
    } else {
        open_guest_transports(&server);
    }
    if (server.signals < 0 || (options->unix_path != NULL && server.listener < 0)) {
        say("cannot serve: %s", strerror(errno));
        return 1;
    }
    while (!server.once || server.count != 0) {
        serve_round(&server, &set);
    }
    return 0;
}
