/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport.h"

#include "frame.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORTS_DIR "/sys/class/virtio-ports"
#define BACKLOG 8

/* Whether PORTS_DIR/ENTRY/name is ours. */
static bool is_our_port(const char *entry)
{
    char path[300];
    char name[64];
    (void)snprintf(path, sizeof(path), PORTS_DIR "/%s/name", entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, name, sizeof(name) - 1);
    (void)close(fd);
    name[got > 0 ? got : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, AGENT_SERIAL_NAME) == 0;
}

int transport_open_port(void)
{
    DIR *dir = opendir(PORTS_DIR);
    int fd = -1;
    struct dirent *entry;
    while (dir != NULL && fd < 0 && (entry = readdir(dir)) != NULL) {
        char path[300];
        (void)snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
        if (entry->d_name[0] != '.' && is_our_port(entry->d_name)) {
            fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return fd;
}

static int listen_at(int fd, const struct sockaddr *address, socklen_t length)
{
    if (fd >= 0 && (bind(fd, address, length) < 0 || listen(fd, BACKLOG) < 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int transport_listen_vsock(void)
{
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = AGENT_VSOCK_PORT};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return listen_at(fd, (const struct sockaddr *)&address, sizeof(address));
}

int transport_listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;
    if (size > sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return listen_at(fd, (const struct sockaddr *)&address, sizeof(address));
}

int transport_accept(int listener)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof(peer);
    int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && peer.ss_family == AF_VSOCK &&
        ((const struct sockaddr_vm *)&peer)->svm_cid != VMADDR_CID_HOST) {
        /* Whoever is let in here is root in the guest: over vsock_loopback any of its users could
         * be. */
        (void)close(fd);
        return -1;
    }
    return fd;
}

void transport_unblock(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
