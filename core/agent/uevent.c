/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "uevent.h"

#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GROUP_KERNEL 1 /* udevd speaks on 2 */

int uevent_open(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void uevent_drain(int fd)
{
    char drop[64]; /* a datagram longer than this is cut, which is fine */
    /* ENOBUFS, too many at once, is an event as well, and clears itself by being read. */
    while (recv(fd, drop, sizeof(drop), 0) >= 0) {
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool uevent_wait(int fd, int seconds, bool (*found)(const void *context), const void *context)
{
    int64_t until = now_ms() + (int64_t)seconds * 1000;
    while (!found(context)) {
        int64_t left = until - now_ms();
        struct pollfd event = {.fd = fd, .events = POLLIN};
        if (fd < 0 || left <= 0 || poll(&event, 1, (int)left) == 0) {
            return found(context);
        }
        uevent_drain(fd);
    }
    return true;
}
