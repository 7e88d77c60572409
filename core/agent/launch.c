/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch.h"

#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The child's ends: standard input, output, error, and the pipe for the reason. */
enum { END_IN, END_OUT, END_ERR, END_WHY, ENDS };

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void launch_close(struct launch *launch)
{
    close_fd(&launch->in);
    close_fd(&launch->out);
    close_fd(&launch->err);
    close_fd(&launch->why);
}

/* A pipe whose `ours` end does not block. */
static int make_pipe(int *ours, int *theirs, bool we_write)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -1;
    }
    *ours = fds[we_write ? 1 : 0];
    *theirs = fds[we_write ? 0 : 1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int make_pty(struct launch *launch, int ends[ENDS])
{
    struct winsize size = {.ws_row = launch->rows, .ws_col = launch->columns};
    int unlock = 0;
    launch->out = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (launch->out < 0 || ioctl(launch->out, TIOCSPTLCK, &unlock) < 0) {
        return -1;
    }
    /* Not by name: /dev/pts of this namespace need not be the one that ptmx belongs to. */
    ends[END_IN] = ioctl(launch->out, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[END_IN] < 0) {
        return -1;
    }
    (void)ioctl(launch->out, TIOCSWINSZ, &size);
    ends[END_OUT] = fcntl(ends[END_IN], F_DUPFD_CLOEXEC, 0);
    ends[END_ERR] = fcntl(ends[END_IN], F_DUPFD_CLOEXEC, 0);
    launch->in = fcntl(launch->out, F_DUPFD_CLOEXEC, 0);
    return ends[END_OUT] < 0 || ends[END_ERR] < 0 || launch->in < 0 ? -1 : 0;
}

static int make_pipes(struct launch *launch, int ends[ENDS])
{
    if (launch->with_stdin) {
        if (make_pipe(&launch->in, &ends[END_IN], true) < 0) {
            return -1;
        }
    } else {
        ends[END_IN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (ends[END_IN] < 0) {
            return -1;
        }
    }
    if (make_pipe(&launch->out, &ends[END_OUT], false) < 0) {
        return -1;
    }
    return make_pipe(&launch->err, &ends[END_ERR], false);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < _NSIG; number++) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_child(const struct launch *launch, int ends[ENDS])
{
    (void)setsid();
    /* Out of the way of 0 to 3 first, since an agent without standard descriptors may have got its
     * pipes there. */
    for (int i = 0; i < ENDS; i++) {
        ends[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, ENDS);
    }
    for (int i = 0; i < ENDS; i++) {
        if (dup2(ends[i], i) < 0) {
            _exit(EXIT_CANNOT_EXECUTE);
        }
    }
    (void)fcntl(SERVICE_WHY_FD, F_SETFD, FD_CLOEXEC);
    /* Other services' pipes must not stay open in a service that does not exec. */
    (void)syscall(SYS_close_range, ENDS, UINT_MAX, 0);
    if (launch->tty) {
        (void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    }
    reset_signals();
}

pid_t launch_fork(struct launch *launch)
{
    int ends[ENDS] = {-1, -1, -1, -1};
    launch->in = launch->out = launch->err = launch->why = -1;
    pid_t pid = -1;
    if ((launch->tty ? make_pty(launch, ends) : make_pipes(launch, ends)) == 0 &&
        make_pipe(&launch->why, &ends[END_WHY], false) == 0) {
        pid = fork();
    }
    if (pid == 0) {
        become_child(launch, ends);
        return 0;
    }
    int saved = errno;
    for (int i = 0; i < ENDS; i++) {
        close_fd(&ends[i]);
    }
    if (pid < 0) {
        launch_close(launch);
    }
    errno = saved;
    return pid;
}
