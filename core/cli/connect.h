/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reaching the daemon.
 *
 * 1. Connect to the control socket. Where something answers, that is all.
 * 2. Otherwise take the lock of starting (so that four commands at once start one daemon), and
 *    connect again: another command may have started it meanwhile.
 *    A daemon that is just ending is waited for.
 * 3. Still nobody: fork twice (the daemon is no child of ours), setsid, and execute
 *    `bangerd --ready-fd N`, with its log file as standard output and error.
 * 4. Wait, with a deadline, for what it writes into N: "ready", or a line that says why not.
 *    The end of the pipe without either means that it died.
 *
 * BANGER_NO_AUTOSTART=1 ends this after step 1.
 */
#ifndef CLI_CONNECT_H
#define CLI_CONNECT_H

#include "base/error.h"
#include "base/layout.h"
#include "rpc/client.h"

struct rpc_client *connect_daemon(banger_error *err);
/* Only where one runs: NULL without an error (err->code stays 0) when none does. */
struct rpc_client *connect_running(banger_error *err);

/* Steps 3 and 4 (launch.c). */
int launch_daemon(const struct layout *layout, banger_error *err);

#endif
