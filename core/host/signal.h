/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals to processes of ours, and never to a stranger that got a reused PID. */
#ifndef HOST_SIGNAL_H
#define HOST_SIGNAL_H

#include "base/process.h"

/* Sends through a pidfd whose start time and boot id were verified after it was opened. Fails with
 * BANGER_ENOTFOUND when that process has ended. Refuses PID 1 and ourselves. */
int signal_send(const struct process_id *id, int number, banger_error *err);

/* "TERM", "SIGTERM" or "15" into a number. */
int signal_parse(const char *text, int *number, banger_error *err);
const char *signal_name(int number); /* "TERM"; "34" of what has none */

#endif
