/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *   1. Ask for the connections that can be meant: the kernel filters a dump by addresses or ports of
 *      either direction's tuple (CTA_FILTER, Linux 5.8), so that a host with a million connections
 *      hands over a few. An older one hands all of them over.
 *   2. Look at each whether it is meant: `original` is as the first packet came, `reply` as an answer
 *      leaves the other end, before translation back. A guest that was connected to is reply's source.
 *   3. Delete these, one request each. One that has ended meanwhile is a success.
 */
#include "host/conntrack.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

#define DUMP_ATTEMPTS 16

/* net/netfilter/nf_internals.h: no header for user space has them. */
#define FILTER_IP_SOURCE (1U << 0)   /* CTA_FILTER_F_CTA_IP_SRC */
#define FILTER_PROTOCOL (1U << 3)    /* CTA_FILTER_F_CTA_PROTO_NUM */
#define FILTER_PORT_TARGET (1U << 5) /* CTA_FILTER_F_CTA_PROTO_DST_PORT */

enum { ORIGINAL = 0, REPLY = 1 }; /* as libnl numbers the directions: "repl" */

struct search {
    bool (*is_meant)(const struct search *search, const struct nfnl_ct *entry);
    struct in_addr address;
    uint8_t protocol;
    uint16_t port;
    /* What the kernel is asked for. */
    int direction;
    uint32_t filter;
    struct nfnl_ct **found; /* of `count` */
    size_t count;
};

/* -- Which ---------------------------------------------------------------------------------------- */

static bool is_address(struct nl_addr *address, struct in_addr wanted)
{
    return address != NULL && nl_addr_get_family(address) == AF_INET &&
           memcmp(nl_addr_get_binary_addr(address), &wanted, sizeof(wanted)) == 0;
}

static bool is_guests(const struct search *search, const struct nfnl_ct *entry)
{
    return is_address(nfnl_ct_get_src(entry, ORIGINAL), search->address) ||
           is_address(nfnl_ct_get_dst(entry, ORIGINAL), search->address) ||
           is_address(nfnl_ct_get_src(entry, REPLY), search->address);
}

static bool is_same(struct nl_addr *a, struct nl_addr *b)
{
    return a != NULL && b != NULL && nl_addr_cmp(a, b) == 0;
}

static bool is_translated(const struct nfnl_ct *entry)
{
    return !is_same(nfnl_ct_get_src(entry, ORIGINAL), nfnl_ct_get_dst(entry, REPLY)) ||
           !is_same(nfnl_ct_get_dst(entry, ORIGINAL), nfnl_ct_get_src(entry, REPLY));
}

static bool is_ports(const struct search *search, const struct nfnl_ct *entry)
{
    if (nfnl_ct_get_proto(entry) != search->protocol ||
        nfnl_ct_get_dst_port(entry, ORIGINAL) != search->port) {
        return false;
    }
    bool to_guest = is_address(nfnl_ct_get_src(entry, REPLY), search->address) &&
                    !is_address(nfnl_ct_get_dst(entry, ORIGINAL), search->address);
    return to_guest || (search->protocol == IPPROTO_UDP && !is_translated(entry));
}

/* -- Asking --------------------------------------------------------------------------------------- */

static int put_tuple(struct nl_msg *message, const struct search *search)
{
    int kind = search->direction == ORIGINAL ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY;
    struct nlattr *tuple = nla_nest_start(message, kind | NLA_F_NESTED);
    bool by_address = (search->filter & FILTER_IP_SOURCE) != 0;
    struct nlattr *part =
        nla_nest_start(message, (by_address ? CTA_TUPLE_IP : CTA_TUPLE_PROTO) | NLA_F_NESTED);
    if (tuple == NULL || part == NULL) {
        return -NLE_NOMEM;
    }
    int result = 0;
    if (by_address) {
        result = nla_put_u32(message, CTA_IP_V4_SRC, search->address.s_addr);
    } else {
        result = nla_put_u8(message, CTA_PROTO_NUM, search->protocol);
        result =
            result < 0 ? result : nla_put_u16(message, CTA_PROTO_DST_PORT, htons(search->port));
    }
    (void)nla_nest_end(message, part);
    (void)nla_nest_end(message, tuple);
    return result;
}

static int put_filter(struct nl_msg *message, const struct search *search)
{
    struct nlattr *filter = nla_nest_start(message, CTA_FILTER | NLA_F_NESTED);
    if (filter == NULL) {
        return -NLE_NOMEM;
    }
    uint32_t original = search->direction == ORIGINAL ? search->filter : 0;
    uint32_t reply = search->direction == REPLY ? search->filter : 0;
    int result = nla_put_u32(message, CTA_FILTER_ORIG_FLAGS, original);
    result = result < 0 ? result : nla_put_u32(message, CTA_FILTER_REPLY_FLAGS, reply);
    (void)nla_nest_end(message, filter);
    return result;
}

static int send_request(struct nl_sock *sock, const struct search *search)
{
    struct nl_msg *message =
        nfnlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_INET, 0);
    if (message == NULL) {
        return -NLE_NOMEM;
    }
    int result = put_tuple(message, search);
    result = result < 0 ? result : put_filter(message, search);
    result = result < 0 ? result : nl_send_auto(sock, message);
    nlmsg_free(message);
    return result;
}

static int note_entry(struct nl_msg *message, void *context)
{
    struct search *search = context;
    struct nfnl_ct *entry = NULL;
    if (nfnlmsg_ct_parse(nlmsg_hdr(message), &entry) < 0) {
        return NL_OK; /* of a protocol that libnl does not know the ports of */
    }
    if (!search->is_meant(search, entry)) {
        nfnl_ct_put(entry);
        return NL_OK;
    }
    search->found = xrealloc(search->found, (search->count + 1) * sizeof(struct nfnl_ct *));
    search->found[search->count++] = entry;
    return NL_OK;
}

static void drop_found(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        nfnl_ct_put(search->found[i]);
    }
    free(search->found);
    search->found = NULL;
    search->count = 0;
}

static int find_once(struct search *search)
{
    AUTO_NL struct nl_sock *sock = nl_socket_alloc();
    if (sock == NULL) {
        return -NLE_NOMEM;
    }
    drop_found(search);
    (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note_entry, search);
    int result = nl_connect(sock, NETLINK_NETFILTER);
    if (result >= 0) {
        result = send_request(sock, search);
    }
    return result < 0 ? result : nl_recvmsgs_default(sock);
}

/* -- Forgetting ----------------------------------------------------------------------------------- */

static int forget_found(const struct search *search)
{
    AUTO_NL struct nl_sock *sock = nl_socket_alloc();
    if (sock == NULL) {
        return -NLE_NOMEM;
    }
    int result = search->count > 0 ? nl_connect(sock, NETLINK_NETFILTER) : 0;
    for (size_t i = 0; i < search->count && result >= 0; i++) {
        result = nfnl_ct_del(sock, search->found[i], 0);
        if (result == -NLE_OBJ_NOTFOUND) {
            result = 0;
        }
    }
    return result;
}

/* What nfnetlink and netlink say of a part that the kernel lacks. */
static bool is_missing(int result)
{
    return result == -NLE_PROTO_MISMATCH || result == -NLE_OPNOTSUPP || result == -NLE_INVAL ||
           result == -NLE_AF_NOSUPPORT;
}

static int forget(struct search *search, banger_error *err)
{
    int result = -NLE_DUMP_INTR;
    for (int i = 0; i < DUMP_ATTEMPTS && result == -NLE_DUMP_INTR; i++) {
        result = find_once(search);
    }
    if (result >= 0) {
        result = forget_found(search);
    } else if (is_missing(result)) {
        result = 0;
    }
    drop_found(search);
    return result < 0 ? netlink_error(err, result, "cannot end connections") : 0;
}

int conntrack_forget(const char *address, banger_error *err)
{
    struct in_addr parsed;
    if (inet_pton(AF_INET, address, &parsed) != 1) {
        return error_set(err, BANGER_EINVALID, "'%.64s' is not an IPv4 address", address);
    }
    for (int direction = ORIGINAL; direction <= REPLY; direction++) {
        struct search search = {
            .is_meant = is_guests,
            .address = parsed,
            .direction = direction,
            .filter = FILTER_IP_SOURCE,
        };
        if (forget(&search, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int conntrack_forget_port(const char *address, bool udp, uint16_t port, banger_error *err)
{
    struct search search = {
        .is_meant = is_ports,
        .protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
        .port = port,
        .direction = ORIGINAL,
        .filter = FILTER_PROTOCOL | FILTER_PORT_TARGET,
    };
    if (inet_pton(AF_INET, address, &search.address) != 1) {
        return error_set(err, BANGER_EINVALID, "'%.64s' is not an IPv4 address", address);
    }
    return forget(&search, err);
}
