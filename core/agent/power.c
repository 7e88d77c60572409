/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "power.h"

#include "say.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define GRACE_SECONDS 2            /* for the processes, between TERM and KILL */
#define SIGNAL_SYSTEMD_POWEROFF 38 /* SIGRTMIN+4 with glibc's SIGRTMIN of 34; musl's is 35 */

#define MOUNTS_MAX 8

static bool owns_machine;
static const char *mounts[MOUNTS_MAX];
static size_t mount_count;

void power_own_machine(void)
{
    owns_machine = true;
}

void power_unmount_at_end(const char *path)
{
    if (mount_count < MOUNTS_MAX) {
        mounts[mount_count++] = path;
    }
}

int power_request(bool off)
{
    if (!owns_machine) {
        return -1;
    }
    if (getpid() == 1) {
        return kill(1, off ? SIGPWR : SIGINT);
    }
    if (!off) {
        return kill(1, SIGINT); /* what the kernel sends for Ctrl-Alt-Del */
    }
    bool systemd = access("/run/systemd/system", F_OK) == 0;
    return kill(1, systemd ? SIGNAL_SYSTEMD_POWEROFF : SIGUSR2 /* busybox init's */);
}

int power_set_clock(int64_t wall_ns)
{
    struct timespec now = {.tv_sec = wall_ns / 1000000000, .tv_nsec = wall_ns % 1000000000};
    return owns_machine && wall_ns > 0 ? clock_settime(CLOCK_REALTIME, &now) : -1;
}

/* Every process but us: asked, waited for, killed. */
static void end_processes(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, NULL);
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += GRACE_SECONDS;
    (void)kill(-1, SIGTERM);
    (void)kill(-1, SIGCONT);
    for (;;) {
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended < 0) {
            return; /* none is left */
        }
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > until.tv_sec) {
            break;
        }
        if (ended == 0) {
            struct timespec nap = {.tv_sec = 1};
            (void)sigtimedwait(&child, NULL, &nap);
        }
    }
    (void)kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {
    }
}

static void end_machine(int how)
{
    sync();
    while (mount_count > 0) {
        (void)umount2(mounts[--mount_count], 0);
    }
    (void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    (void)reboot(how);
    for (;;) { /* the end of PID 1 would be a kernel panic */
        (void)pause();
    }
}

void power_end(bool off)
{
    end_processes();
    end_machine(off ? RB_POWER_OFF : RB_AUTOBOOT);
    __builtin_unreachable();
}

void power_give_up(const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say("%s", text);
    (void)tcdrain(STDERR_FILENO); /* the UART has sent it before the machine goes */
    end_machine(RB_AUTOBOOT);
    __builtin_unreachable();
}
