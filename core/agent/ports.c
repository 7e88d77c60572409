/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SERVICE_PORTS: what listens, from /proc/net (proc(5)), and whose it is. */
#include "report.h"
#include "service.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX 1024
#define SOCKET_LINK "socket:[" /* and the inode, where a descriptor's link points to */

#define STATE_TCP_LISTEN 0x0a
#define STATE_UDP_UNCONNECTED 0x07

struct listener {
    const char *protocol;
    char address[INET6_ADDRSTRLEN];
    unsigned port;
    unsigned long inode;
    char process[32]; /* "": not found */
};

struct listeners {
    struct listener *list;
    size_t count;
};

static const struct {
    const char *path;
    const char *protocol;
    unsigned state;
    int words; /* of 32 bits, each in the machine's byte order, in an address */
} tables[] = {
    {"/proc/net/tcp", "tcp", STATE_TCP_LISTEN, 1},
    {"/proc/net/tcp6", "tcp6", STATE_TCP_LISTEN, 4},
    {"/proc/net/udp", "udp", STATE_UDP_UNCONNECTED, 1},
    {"/proc/net/udp6", "udp6", STATE_UDP_UNCONNECTED, 4},
};

/* The fields of a line of /proc/net/tcp, separated by blanks. */
enum { FIELD_SLOT, FIELD_LOCAL, FIELD_REMOTE, FIELD_STATE, FIELD_INODE = 9, FIELDS };

static bool parse_line(char *line, int words, unsigned wanted, struct listener *listener)
{
    const char *fields[FIELDS];
    uint32_t address[4] = {0};
    char *rest = line;
    for (int i = 0; i < FIELDS; i++) {
        do {
            fields[i] = strsep(&rest, " ");
        } while (fields[i] != NULL && *fields[i] == '\0');
        if (fields[i] == NULL) {
            return false;
        }
    }
    const char *port = strchr(fields[FIELD_LOCAL], ':');
    if (port != fields[FIELD_LOCAL] + (size_t)words * 8 ||
        strtoul(fields[FIELD_STATE], NULL, 16) != wanted) {
        return false;
    }
    for (int i = 0; i < words; i++) {
        char word[9] = {0};
        memcpy(word, fields[FIELD_LOCAL] + (size_t)i * 8, 8);
        address[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    listener->port = (unsigned)strtoul(port + 1, NULL, 16);
    listener->inode = strtoul(fields[FIELD_INODE], NULL, 10);
    return inet_ntop(words == 1 ? AF_INET : AF_INET6, address, listener->address,
                     sizeof(listener->address)) != NULL;
}

static void read_table(size_t which, struct listeners *all)
{
    FILE *file = fopen(tables[which].path, "re");
    char line[256];
    while (file != NULL && all->count < SOCKETS_MAX && fgets(line, sizeof(line), file) != NULL) {
        struct listener listener = {.protocol = tables[which].protocol};
        if (parse_line(line, tables[which].words, tables[which].state, &listener)) {
            all->list[all->count++] = listener;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void read_name(const char *pid, char name[32])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fgets(name, 32, file);
        name[strcspn(name, "\n")] = '\0';
        (void)fclose(file);
    }
}

/* Names the process at each listener whose socket it has open. */
static void match_process(const char *pid, struct listeners *all)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char target[64] = "";
        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) <= 0 ||
            strncmp(target, SOCKET_LINK, strlen(SOCKET_LINK)) != 0) {
            continue;
        }
        unsigned long inode = strtoul(target + strlen(SOCKET_LINK), NULL, 10);
        for (size_t i = 0; i < all->count; i++) {
            if (all->list[i].inode == inode && all->list[i].process[0] == '\0') {
                read_name(pid, all->list[i].process);
            }
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static void match_processes(struct listeners *all)
{
    DIR *dir = all->count != 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            match_process(entry->d_name, all);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

int ports_run(void)
{
    struct listeners all = {.list = calloc(SOCKETS_MAX, sizeof(struct listener))};
    if (all.list == NULL) {
        return service_fail(1, "out of memory");
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        read_table(i, &all);
    }
    match_processes(&all);
    (void)putchar('[');
    for (size_t i = 0; i < all.count; i++) {
        const struct listener *one = &all.list[i];
        (void)printf("%s{\"proto\":\"%s\",\"address\":\"%s\",\"port\":%u,\"process\":",
                     i != 0 ? "," : "", one->protocol, one->address, one->port);
        report_string(one->process);
        (void)putchar('}');
    }
    (void)puts("]");
    free(all.list);
    return report_end();
}
