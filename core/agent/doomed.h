/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes whose caller sent RESET: hung up at once, killed with their whole group when they have
 * not ended a second later. They outlive the stream and the connection that they belonged to. */
#ifndef AGENT_DOOMED_H
#define AGENT_DOOMED_H

#include <sys/types.h>

void doomed_add(pid_t leader);
/* A child is about to be reaped, its PID still its own: ends what is left of its group. */
void doomed_ended(pid_t leader);
void doomed_expire(void);
int doomed_poll_ms(void); /* until the next one is due; -1: none */

#endif
