/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netlink.h"

#include "base/str.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <unistd.h>

/* A dump is interrupted when what it lists changes meanwhile; changes come in bursts, not for ever. */
#define DUMP_ATTEMPTS 16

struct nl_sock *netlink_open(banger_error *err)
{
    AUTO_NL struct nl_sock *sock = nl_socket_alloc();
    if (sock == NULL) {
        (void)error_set(err, BANGER_EIO, "cannot make a netlink socket: out of memory");
        return NULL;
    }
    int result = nl_connect(sock, NETLINK_ROUTE);
    if (result < 0) {
        (void)netlink_error(err, result, "cannot open a netlink socket");
        return NULL;
    }
    struct nl_sock *made = sock;
    sock = NULL;
    return made;
}

struct nl_cache *netlink_dump(netlink_fill fill, banger_error *err)
{
    AUTO_NL struct nl_sock *sock = netlink_open(err);
    if (sock == NULL) {
        return NULL;
    }
    int result = -NLE_DUMP_INTR;
    for (int i = 0; i < DUMP_ATTEMPTS && result == -NLE_DUMP_INTR; i++) {
        struct nl_cache *cache = NULL;
        result = fill(sock, &cache);
        if (result >= 0) {
            return cache;
        }
    }
    (void)netlink_error(err, result, "cannot list what the kernel has");
    return NULL;
}

/* Appends each message as nl_send would have sent it; frees it. */
static int pack(struct nl_sock *sock, struct buf *datagram, struct nl_msg *const *messages,
                size_t count)
{
    static const char padding[NLMSG_ALIGNTO];
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        if (messages[i] == NULL) {
            result = -NLE_NOMEM;
            continue;
        }
        nl_complete_msg(sock, messages[i]); /* sequence number, NLM_F_ACK */
        const struct nlmsghdr *header = nlmsg_hdr(messages[i]);
        buf_append(datagram, header, header->nlmsg_len);
        buf_append(datagram, padding, NLMSG_ALIGN(header->nlmsg_len) - header->nlmsg_len);
        nlmsg_free(messages[i]);
    }
    return result;
}

int netlink_send(struct nl_msg *const *messages, size_t count)
{
    AUTO_NL struct nl_sock *sock = nl_socket_alloc();
    int result = sock == NULL ? -NLE_NOMEM : nl_connect(sock, NETLINK_ROUTE);
    if (result < 0) {
        for (size_t i = 0; i < count; i++) {
            nlmsg_free(messages[i]);
        }
        return result;
    }
    AUTO_BUF struct buf datagram = BUF_INIT;
    result = pack(sock, &datagram, messages, count);
    if (result >= 0) {
        result = nl_sendto(sock, datagram.data, datagram.length);
    }
    if (result < 0) {
        return result;
    }
    result = 0;
    for (size_t i = 0; i < count; i++) {
        int answer = nl_wait_for_ack(sock);
        result = result < 0 || answer >= 0 ? result : answer;
    }
    return result;
}

int netlink_check_privilege(banger_error *err)
{
    /* The kernel looks for CAP_NET_ADMIN over our network namespace before it looks at what a request
     * that changes something says (rtnetlink_rcv_msg, net/core/rtnetlink.c). This one names no link,
     * so that all it can get is EPERM or another error. */
    struct ifinfomsg nothing = {.ifi_family = AF_UNSPEC};
    struct nl_msg *message = nlmsg_alloc_simple(RTM_SETLINK, 0);
    if (message != NULL) {
        (void)nlmsg_append(message, &nothing, sizeof(nothing), NLMSG_ALIGNTO);
    }
    int result = netlink_send(&message, 1);
    if (result == -NLE_PERM || result == -NLE_NOACCESS) {
        return netlink_error(err, result, "cannot change network links");
    }
    return 0;
}

static enum banger_code code_of(int result)
{
    switch (-result) {
    case NLE_PERM:
    case NLE_NOACCESS:
        return BANGER_EPERMISSION;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
    case NLE_NOADDR: /* EADDRNOTAVAIL: the address to be removed is not there */
        return BANGER_ENOTFOUND;
    case NLE_EXIST:
        return BANGER_EEXISTS;
    case NLE_BUSY:
        return BANGER_EBUSY;
    default:
        return BANGER_EIO;
    }
}

int netlink_error(banger_error *err, int result, const char *format, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    enum banger_code code = code_of(result);
    (void)error_set(err, code, "%s: %s", text, nl_geterror(result));
    return code == BANGER_EPERMISSION ? error_hint(err, "run bangerd as root") : -1;
}
