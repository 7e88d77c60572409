/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network namespaces for tests. The program itself moves into a new one, and makes more of them; a
 * socket stays in the namespace that it was made in, so that one thread can play all the machines.
 * Everything ends with the program: no namespace has a name.
 */
#ifndef TESTS_NET_SPACE_H
#define TESTS_NET_SPACE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new namespace for this thread, with loopback up; -1: not permitted here. */
static inline int space_enter_new(void)
{
    if (unshare(CLONE_NEWNET) < 0) {
        return -1;
    }
    return system("ip link set lo up") == 0 ? 0 : -1;
}

static inline int space_current(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline void space_enter(int space)
{
    if (setns(space, CLONE_NEWNET) < 0) {
        perror("setns");
        abort();
    }
}

/* Another namespace; the thread stays where it is. */
static inline int space_new(void)
{
    int home = space_current();
    if (space_enter_new() < 0) {
        perror("unshare");
        abort();
    }
    int made = space_current();
    space_enter(home);
    (void)close(home);
    return made;
}

/* Runs a shell command in the thread's namespace; ends the program when it fails. */
static inline void __attribute__((format(printf, 1, 2))) space_run(const char *format, ...)
{
    char command[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (system(command) != 0) {
        (void)fprintf(stderr, "failed: %s\n", command);
        abort();
    }
}

/* What a shell command prints; the caller frees it. */
static inline char *space_read(const char *command)
{
    FILE *pipe = popen(command, "re");
    char *text = calloc(1, 1 << 18);
    if (pipe == NULL || text == NULL) {
        abort();
    }
    (void)!fread(text, 1, (1 << 18) - 1, pipe);
    (void)pclose(pipe);
    return text;
}

#endif
