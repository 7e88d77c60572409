/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's interfaces: lo up, and a static address and default route for each configured MAC. ioctl
 * does all of it (netdevice(7)), in less code than rtnetlink; IPv6 is in boot_net6.c. */
#include "boot.h"
#include "boot_net6.h"
#include "say.h"
#include "uevent.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NIC_SECONDS 5

struct interface {
    char name[IFNAMSIZ];
    char mac[18];
    bool is_v6; /* then `v6` counts, else the addresses */
    struct interface6 v6;
    struct in_addr address, mask, gateway; /* gateway 0: none */
};

static bool has_mac(const char *name, const char *mac)
{
    char path[64];
    char text[32] = "";
    (void)snprintf(path, sizeof(path), "/sys/class/net/%.15s/address", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    return strncasecmp(text, mac, strlen(mac)) == 0;
}

/* Finds the name of the NIC with the interface's MAC: a uevent_wait condition. */
static bool find_nic(const void *context)
{
    struct interface *interface = *(struct interface *const *)context;
    DIR *dir = opendir("/sys/class/net");
    struct dirent *entry;
    while (dir != NULL && interface->name[0] == '\0' && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && has_mac(entry->d_name, interface->mac)) {
            (void)snprintf(interface->name, IFNAMSIZ, "%.15s", entry->d_name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return interface->name[0] != '\0';
}

static struct sockaddr inet_address(struct in_addr address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};
    struct sockaddr out;
    memcpy(&out, &in, sizeof(out));
    return out;
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

static int set_address(int sock, const struct interface *interface)
{
    struct ifreq request = {0};
    (void)snprintf(request.ifr_name, IFNAMSIZ, "%s", interface->name);
    request.ifr_addr = inet_address(interface->address);
    if (ioctl(sock, SIOCSIFADDR, &request) < 0) {
        return -1;
    }
    request.ifr_netmask = inet_address(interface->mask);
    if (ioctl(sock, SIOCSIFNETMASK, &request) < 0) {
        return -1;
    }
    return raise_link(sock, interface->name);
}

static int add_route(int sock, const struct interface *interface, struct in_addr to,
                     struct in_addr mask, struct in_addr via)
{
    char name[IFNAMSIZ];
    (void)snprintf(name, sizeof(name), "%s", interface->name);
    struct rtentry route = {.rt_dst = inet_address(to),
                            .rt_genmask = inet_address(mask),
                            .rt_gateway = inet_address(via),
                            .rt_dev = name,
                            .rt_flags = RTF_UP};
    route.rt_flags |= via.s_addr != 0 ? RTF_GATEWAY : 0;
    route.rt_flags |= mask.s_addr == INADDR_NONE ? RTF_HOST : 0;
    /* The kernel may have it from its command line (ip=). */
    return ioctl(sock, SIOCADDRT, &route) < 0 && errno != EEXIST ? -1 : 0;
}

static int set_gateway(int sock, const struct interface *interface)
{
    const struct in_addr any = {0};
    const struct in_addr host = {INADDR_NONE};
    struct in_addr gateway = interface->gateway;
    if (gateway.s_addr == 0) {
        return 0;
    }
    bool on_link = ((gateway.s_addr ^ interface->address.s_addr) & interface->mask.s_addr) == 0;
    if (!on_link && add_route(sock, interface, gateway, host, any) < 0) {
        return -1; /* as with a /32: the gateway is told to be on this link first */
    }
    return add_route(sock, interface, any, any, gateway);
}

static bool parse_v4(const char *address, unsigned long bits, const char *gateway,
                     struct interface *interface)
{
    if (bits > 32 || inet_pton(AF_INET, address, &interface->address) != 1) {
        return false;
    }
    interface->mask.s_addr = bits == 0 ? 0 : htonl(UINT32_MAX << (32 - bits));
    return strcmp(gateway, "-") == 0 || inet_pton(AF_INET, gateway, &interface->gateway) == 1;
}

/* "MAC ADDRESS/PREFIX GATEWAY" */
static bool parse(const char *text, struct interface *interface)
{
    char copy[120];
    *interface = (struct interface){0};
    (void)snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    const char *mac = strsep(&rest, " ");
    const char *address = strsep(&rest, "/");
    const char *prefix = strsep(&rest, " ");
    const char *gateway = rest;
    if (gateway == NULL || strlen(mac) >= sizeof(interface->mac) || *prefix == '\0') {
        return false;
    }
    char *end;
    unsigned long bits = strtoul(prefix, &end, 10);
    memcpy(interface->mac, mac, strlen(mac) + 1);
    interface->is_v6 = strchr(address, ':') != NULL;
    if (*end != '\0') {
        return false;
    }
    return interface->is_v6 ? boot_net6_parse(address, bits, gateway, &interface->v6)
                            : parse_v4(address, bits, gateway, interface);
}

static int apply(int sock, const struct interface *interface)
{
    if (interface->is_v6) {
        return boot_net6_apply(interface->name, &interface->v6);
    }
    return set_address(sock, interface) < 0 ? -1 : set_gateway(sock, interface);
}

static void configure(int sock, const char *text, int uevents)
{
    struct interface interface;
    struct interface *found = &interface;
    if (!parse(text, &interface)) {
        say("invalid interface in the guest configuration: %s", text);
    } else if (!uevent_wait(uevents, NIC_SECONDS, find_nic, &found)) {
        say("no network interface has the address %s", interface.mac);
    } else if (apply(sock, &interface) < 0) {
        say("cannot configure %s: %s", interface.name, strerror(errno));
    }
}

void boot_net(const struct conf *conf, int uevents)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || raise_link(sock, "lo") < 0) {
        say("cannot bring up lo: %s", strerror(errno));
    }
    for (size_t i = 0; i < conf->interface_count; i++) {
        configure(sock, conf->interfaces[i], uevents);
    }
    if (sock >= 0) {
        (void)close(sock);
    }
}
