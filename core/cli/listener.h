/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether something listens on a TCP port in a guest, and waiting for it while the guest is young: its
 * agent answers seconds before its services do. */
#ifndef CLI_LISTENER_H
#define CLI_LISTENER_H

#include "cli/cli.h"

/* How long after its start a guest's ssh server is waited for. Debian's systemd takes 2 s to it under
 * KVM, and 20 to 40 s where the processor is emulated. */
#define LISTENER_SSH_WAIT "60s"

/* 1: it listens; 0: it does not, and the VM has been up for `young_ms`; -1. */
int listener_await(struct cli *cli, const char *vm, unsigned port, int64_t young_ms,
                   banger_error *err);

#endif
