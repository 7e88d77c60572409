/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a guest's agent is reached, as its vmm provider said (banger/provider.h). */
#ifndef GUEST_ENDPOINT_H
#define GUEST_ENDPOINT_H

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

enum endpoint_kind {
    ENDPOINT_UNIX,      /* QEMU's chardev of the virtio-serial port */
    ENDPOINT_VSOCK_UDS, /* Firecracker's unix socket for all vsock ports: CONNECT first */
    ENDPOINT_VSOCK,
};

struct endpoint {
    enum endpoint_kind kind;
    char *path; /* absolute; NULL for vsock */
    uint32_t cid;
    uint32_t port;
};

int endpoint_parse(const char *run_dir, const json_t *agent, struct endpoint *endpoint,
                   banger_error *err);
void endpoint_free(struct endpoint *endpoint);
/* A non-blocking socket, connected or (vsock) connecting: writable or failed once it is. */
int endpoint_connect(const struct endpoint *endpoint, banger_error *err);

#endif
