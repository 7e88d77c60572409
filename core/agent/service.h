/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Services. Each runs in a child process of its own with its standard descriptors as pipes (or a
 * PTY), so that none can block, crash or confuse the multiplexer; an exec is a service that
 * executes a program at its end. These functions run in that child and never return to the
 * multiplexer: they return the exit status.
 */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

#include "exec_request.h"

#define SERVICE_WHY_FD 3        /* in the child: what is written there becomes EXIT's text */
#define SERVICE_WHY_MAX 1024    /* below PIPE_BUF, so that it never blocks */
#define EXIT_CANNOT_EXECUTE 126 /* as in POSIX shells, XCU 2.8.2 */
#define EXIT_NOT_FOUND 127

/* Says why the service failed and passes `status` through. Only in a service's process. */
int service_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

int exec_run(struct exec_request *request);
int tar_out_run(const char *path);
int tar_in_run(const char *path);
int stats_run(void);
int ports_run(void);
int connect_run(unsigned port);

#endif
