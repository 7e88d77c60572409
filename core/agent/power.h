/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ending the machine, and its clock. */
#ifndef AGENT_POWER_H
#define AGENT_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* This process belongs to a guest that it may end and whose clock it may set. Without this call
 * (a test's agent on some host) power_request and power_set_clock refuse. */
void power_own_machine(void);

/* Asks whoever is PID 1 to end the machine; with `off` to power it off rather than restart it. */
int power_request(bool off);
/* Ends it: processes, file systems, machine. Only as PID 1. */
void power_end(bool off) __attribute__((noreturn));
/* The boot failed: says so on the console and restarts the machine, which ends the VMM. */
void power_give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A mounted file system that must be whole at the end; `path` lives as long as the process. At most 8. */
void power_unmount_at_end(const char *path);

int power_set_clock(int64_t wall_ns);

#endif
