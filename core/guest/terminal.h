/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a session takes over of its process while it runs, and gives back on every way out: the
 * terminal's mode, and the signals, which come through a descriptor meanwhile. */
#ifndef GUEST_TERMINAL_H
#define GUEST_TERMINAL_H

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
    int tty; /* in raw mode; -1: none */
    struct termios saved;
    int signals; /* signalfd; -1: none */
    sigset_t saved_mask;
};

/* `forward`: INT, TERM, HUP and QUIT are taken as well (always with a tty: their default actions
 * would leave it raw). SIGPIPE is, always. */
int terminal_take(struct terminal *terminal, int tty, bool forward, banger_error *err);
void terminal_restore(struct terminal *terminal);
int terminal_next_signal(struct terminal *terminal); /* 0: none is waiting */
bool terminal_size(const struct terminal *terminal, uint16_t *rows, uint16_t *columns);

#endif
