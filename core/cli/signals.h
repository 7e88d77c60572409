/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ctrl-C and its like. The first INT, TERM or HUP is remembered, interrupts what waits, and lets
 * the program clean up; the second ends it at once, as if it had no handler.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(void);
/* From here on even the first one ends the program at once. */
void signals_release(void);
int signals_caught(void); /* the signal's number; 0: none yet */

/* Interrupts system calls (EINTR) ten times a second: for those that have no deadline of their own.
 */
void signals_tick(bool on);

#endif
