/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static const int taken_with_tty_or_forward[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static int take_signals(struct terminal *terminal, bool ends, bool resizes, banger_error *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    if (resizes) {
        (void)sigaddset(&set, SIGWINCH);
    }
    for (size_t i = 0; ends && i < sizeof(taken_with_tty_or_forward) / sizeof(int); i++) {
        (void)sigaddset(&set, taken_with_tty_or_forward[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, &terminal->saved_mask);
    terminal->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (terminal->signals < 0) {
        int saved = errno;
        (void)pthread_sigmask(SIG_SETMASK, &terminal->saved_mask, NULL);
        return error_sys(err, saved, "cannot watch signals");
    }
    return 0;
}

int terminal_take(struct terminal *terminal, int tty, bool forward, banger_error *err)
{
    *terminal = (struct terminal){.tty = -1, .signals = -1};
    if (take_signals(terminal, forward || tty >= 0, tty >= 0, err) < 0) {
        return -1;
    }
    if (tty < 0) {
        return 0;
    }
    if (tcgetattr(tty, &terminal->saved) < 0) {
        int saved = errno;
        terminal_restore(terminal);
        return error_sys(err, saved, "standard input is not a terminal");
    }
    struct termios raw = terminal->saved;
    cfmakeraw(&raw);
    (void)tcsetattr(tty, TCSANOW, &raw);
    terminal->tty = tty;
    return 0;
}

void terminal_restore(struct terminal *terminal)
{
    if (terminal->tty >= 0) {
        (void)tcsetattr(terminal->tty, TCSANOW, &terminal->saved);
        terminal->tty = -1;
    }
    if (terminal->signals >= 0) {
        while (terminal_next_signal(terminal) != 0) { /* none may strike late, SIGPIPE least */
        }
        (void)close(terminal->signals);
        terminal->signals = -1;
        (void)pthread_sigmask(SIG_SETMASK, &terminal->saved_mask, NULL);
    }
}

int terminal_next_signal(struct terminal *terminal)
{
    struct signalfd_siginfo info;
    ssize_t got = read(terminal->signals, &info, sizeof(info));
    return got == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

bool terminal_size(const struct terminal *terminal, uint16_t *rows, uint16_t *columns)
{
    struct winsize size;
    if (terminal->tty < 0 || ioctl(terminal->tty, TIOCGWINSZ, &size) < 0) {
        return false;
    }
    *rows = size.ws_row;
    *columns = size.ws_col;
    return true;
}
