/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint.h"

#include "agent/frame.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"
#include "base/unix.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

static const char *const transports[] = {
    [ENDPOINT_UNIX] = "unix",
    [ENDPOINT_VSOCK_UDS] = "vsock-uds",
    [ENDPOINT_VSOCK] = "vsock",
};

static int parse_kind(const char *text, enum endpoint_kind *kind, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        if (str_equal(text, transports[i])) {
            *kind = (enum endpoint_kind)i;
            return 0;
        }
    }
    return error_set(err, BANGER_EINVALID,
                     "unknown agent transport '%s': allowed are unix, vsock-uds and vsock",
                     str_or(text, ""));
}

static int parse_path(const char *run_dir, const json_t *agent, char **path, banger_error *err)
{
    const char *text = json_get_string(agent, "path", NULL);
    if (text == NULL || *text == '\0') {
        return error_set(err, BANGER_EINVALID, "the agent's transport has no path");
    }
    AUTO_FREE char *whole = *text == '/' ? xstrdup(text) : str_format("%s/%s", run_dir, text);
    if (name_check_path("agent socket", whole, err) < 0) {
        return -1;
    }
    *path = STEAL(whole);
    return 0;
}

int endpoint_parse(const char *run_dir, const json_t *agent, struct endpoint *endpoint,
                   banger_error *err)
{
    struct endpoint parsed = {0};
    int64_t port = json_get_int(agent, "port", AGENT_VSOCK_PORT);
    int64_t cid = json_get_int(agent, "cid", 0);
    if (parse_kind(json_get_string(agent, "transport", NULL), &parsed.kind, err) < 0) {
        return -1;
    }
    if (port < 1 || port >= UINT32_MAX || cid < 0 || cid >= UINT32_MAX ||
        (parsed.kind == ENDPOINT_VSOCK && cid <= VMADDR_CID_HOST)) {
        return error_set(err, BANGER_EINVALID,
                         "invalid vsock address %lld:%lld of the agent: a guest's CID is 3 or more",
                         (long long)cid, (long long)port);
    }
    parsed.port = (uint32_t)port;
    parsed.cid = (uint32_t)cid;
    if (parsed.kind != ENDPOINT_VSOCK && parse_path(run_dir, agent, &parsed.path, err) < 0) {
        return -1;
    }
    *endpoint = parsed;
    return 0;
}

void endpoint_free(struct endpoint *endpoint)
{
    free(endpoint->path);
    endpoint->path = NULL;
}

int endpoint_connect(const struct endpoint *endpoint, banger_error *err)
{
    if (endpoint->kind != ENDPOINT_VSOCK) {
        return unix_connect(endpoint->path, err);
    }
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = endpoint->cid, .svm_port = endpoint->port};
    AUTO_CLOSE int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
                   errno != EINPROGRESS)) {
        return error_sys(err, errno, "cannot connect to vsock %u:%u", endpoint->cid,
                         endpoint->port);
    }
    return STEAL_FD(fd);
}
