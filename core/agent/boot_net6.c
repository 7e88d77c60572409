/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot_net6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/ipv6.h's in6_ifreq, which cannot be included beside the libc's headers. */
struct address_request {
    struct in6_addr address;
    uint32_t bits;
    int index;
};

bool boot_net6_parse(const char *address, unsigned long bits, const char *gateway,
                     struct interface6 *v6)
{
    *v6 = (struct interface6){.bits = (unsigned)bits};
    return bits <= 128 && inet_pton(AF_INET6, address, &v6->address) == 1 &&
           (strcmp(gateway, "-") == 0 || inet_pton(AF_INET6, gateway, &v6->gateway) == 1);
}

/* The host gives each address to one guest: to look for a duplicate would only cost its first second.
 * Best effort: without it the address comes a second later. */
static void skip_duplicate_detection(const char *name)
{
    char path[80];
    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        (void)close(fd);
    }
}

static int raise_link(int sock, const char *name)
{
    struct ifreq request = {0};
    (void)snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(sock, SIOCGIFFLAGS, &request) < 0) {
        return -1;
    }
    request.ifr_flags |= IFF_UP;
    return ioctl(sock, SIOCSIFFLAGS, &request);
}

static int set_address(int sock, int index, const struct interface6 *v6)
{
    const struct address_request request = {v6->address, v6->bits, index};
    return ioctl(sock, SIOCSIFADDR, &request) == 0 || errno == EEXIST ? 0 : -1;
}

static int set_gateway(int sock, int index, const struct interface6 *v6)
{
    struct in6_rtmsg route = {
        .rtmsg_gateway = v6->gateway,
        .rtmsg_metric = 1024, /* IP6_RT_PRIO_USER, linux/ipv6_route.h: as ip(8) adds it */
        .rtmsg_flags = RTF_UP | RTF_GATEWAY,
        .rtmsg_ifindex = index,
    };
    return ioctl(sock, SIOCADDRT, &route);
}

int boot_net6_apply(const char *name, const struct interface6 *v6)
{
    int index = (int)if_nametoindex(name);
    int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        return -1; /* a kernel without IPv6 */
    }
    skip_duplicate_detection(name);
    bool has_gateway = !IN6_IS_ADDR_UNSPECIFIED(&v6->gateway);
    int result = raise_link(sock, name) < 0 || set_address(sock, index, v6) < 0 ||
                         (has_gateway && set_gateway(sock, index, v6) < 0)
                     ? -1
                     : 0;
    int reason = errno;
    (void)close(sock);
    errno = reason;
    return result;
}
