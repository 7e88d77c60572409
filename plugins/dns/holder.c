/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the port to the socket's inode by /proc/net (proc(5)), from there to the process by its
 * descriptors. Needs root, or one's own process. */
#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENING 0x0a /* TCP_LISTEN, in the column "st" */

/* An address as the tables print it: words of the machine's byte order. */
static void format_address(const struct address *address, char text[33])
{
    size_t words = address_size(address->family) / 4;

    for (size_t i = 0; i < words; i++) {
        uint32_t word;

        memcpy(&word, address->bytes + 4 * i, sizeof(word));
        (void)snprintf(text + 8 * i, 9, "%08X", word);
    }
}

/* The inode of a socket that keeps others from binding `endpoint`; 0: none in this table. */
static unsigned long find_inode(const char *table, const struct endpoint *endpoint)
{
    struct address address = endpoint_address(endpoint);
    FILE *file = fopen(table, "re");
    unsigned long found = 0;
    char wanted[33] = "";
    char line[512];

    format_address(&address, wanted);
    while (found == 0 && file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char local[33];
        unsigned port;
        unsigned state;
        unsigned long inode;

        if (sscanf(line, " %*u: %32[0-9A-F]:%4X %*32[0-9A-F]:%*4X %2X %*s %*s %*s %*u %*u %lu",
                   local, &port, &state, &inode) == 4 &&
            port == endpoint_port(endpoint) &&
            (strcmp(local, wanted) == 0 || strspn(local, "0") == strlen(local)) &&
            (strstr(table, "tcp") == NULL || state == LISTENING)) {
            found = inode;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

static bool has_socket(const char *pid, const char *socket_name)
{
    char path[64];
    char target[64];
    bool found = false;
    struct dirent *entry;
    DIR *folder;

    (void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    folder = opendir(path);
    while (!found && folder != NULL && (entry = readdir(folder)) != NULL) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

        target[length < 0 ? 0 : length] = '\0';
        found = strcmp(target, socket_name) == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

static void describe(const char *pid, char text[HOLDER_TEXT_SIZE])
{
    char path[64];
    char name[17] = ""; /* TASK_COMM_LEN and its end */
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
    file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof(name), file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
        }
        (void)fclose(file);
    }
    (void)snprintf(text, HOLDER_TEXT_SIZE, "%s (pid %.16s)", name[0] != '\0' ? name : "a process",
                   pid);
}

void holder_find(const struct endpoint *endpoint, char text[HOLDER_TEXT_SIZE])
{
    static const char *const tables[] = {"/proc/net/udp", "/proc/net/tcp", "/proc/net/udp6",
                                         "/proc/net/tcp6"};
    unsigned long inode = 0;
    struct dirent *entry;
    char name[64];
    DIR *folder;

    (void)snprintf(text, HOLDER_TEXT_SIZE, "another process");
    for (size_t i = 0; inode == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        inode = find_inode(tables[i], endpoint);
    }
    folder = inode == 0 ? NULL : opendir("/proc");
    (void)snprintf(name, sizeof(name), "socket:[%lu]", inode);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, name)) {
            describe(entry->d_name, text);
            break;
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}
