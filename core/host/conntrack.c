/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *   1. Ask for the connections that can be meant. Each dump walks the kernel's whole table (10 ms for the
 *      262,144 chains that a machine with 4 GB has): with few connections all are asked for, in one
 *      walk. With many the kernel is told what can be meant (CTA_FILTER, Linux 5.8; an older one hands
 *      over all), at the price of a walk for each way to be meant.
 *   2. Look at each whether it is meant: `original` is as the first packet came, `reply` as an answer
 *      leaves the other end, before translation back. A guest that was connected to is reply's source.
 *   3. Delete these, one request each. One that has ended meanwhile is a success.
 */
#include "host/conntrack.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/netfilter.h"
#include "host/netlink.h"
#include "host/sysctl.h"

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
#define FEW 4096 /* connections: their transfer takes about as long as a walk */

/* net/netfilter/nf_internals.h: no header for user space has them. */
#define FILTER_IP_SOURCE (1U << 0) /* CTA_FILTER_F_CTA_IP_SRC */
#define FILTER_PROTOCOL (1U << 3)  /* CTA_FILTER_F_CTA_PROTO_NUM */

enum { ORIGINAL = 0, REPLY = 1 }; /* as libnl numbers the directions: "repl" */

/* What the kernel is asked for. */
struct filter {
    int tuple; /* CTA_TUPLE_ORIG, CTA_TUPLE_REPLY; 0: everything */
    uint32_t flags;
};

struct search {
    bool (*is_meant)(const struct search *search, const struct nfnl_ct *entry);
    struct in_addr address;
    const struct conntrack_port *ports;
    size_t port_count;
    const struct filter *filters; /* the ways to be meant; the last one has tuple 0 */

    const struct filter *filter; /* of this walk */
    struct nfnl_ct **found;      /* of `count` */
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

static bool is_one_of(const struct search *search, const struct nfnl_ct *entry)
{
    for (size_t i = 0; i < search->port_count; i++) {
        const struct conntrack_port *port = &search->ports[i];
        if (nfnl_ct_get_proto(entry) == (port->udp ? IPPROTO_UDP : IPPROTO_TCP) &&
            nfnl_ct_get_dst_port(entry, ORIGINAL) == port->port) {
            return true;
        }
    }
    return false;
}

static bool is_ports(const struct search *search, const struct nfnl_ct *entry)
{
    bool to_guest = is_address(nfnl_ct_get_src(entry, REPLY), search->address) &&
                    !is_address(nfnl_ct_get_dst(entry, ORIGINAL), search->address);
    bool to_nobody = nfnl_ct_get_proto(entry) == IPPROTO_UDP && !is_translated(entry);
    return (to_guest || to_nobody) && is_one_of(search, entry);
}

/* -- Asking --------------------------------------------------------------------------------------- */

static int put_tuple(struct nl_msg *message, const struct search *search)
{
    bool by_address = search->filter->flags == FILTER_IP_SOURCE;
    int kind = by_address ? CTA_TUPLE_IP : CTA_TUPLE_PROTO;
    struct nlattr *tuple = nla_nest_start(message, search->filter->tuple | NLA_F_NESTED);
    struct nlattr *part = nla_nest_start(message, kind | NLA_F_NESTED);
    if (tuple == NULL || part == NULL) {
        return -NLE_NOMEM;
    }
    int result = by_address ? nla_put_u32(message, CTA_IP_V4_SRC, search->address.s_addr)
                            : nla_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
    (void)nla_nest_end(message, part);
    (void)nla_nest_end(message, tuple);
    return result;
}

static int put_filter(struct nl_msg *message, const struct filter *wanted)
{
    struct nlattr *filter = nla_nest_start(message, CTA_FILTER | NLA_F_NESTED);
    if (filter == NULL) {
        return -NLE_NOMEM;
    }
    bool reply = wanted->tuple == CTA_TUPLE_REPLY;
    int result = nla_put_u32(message, CTA_FILTER_ORIG_FLAGS, reply ? 0 : wanted->flags);
    result = result < 0 ? result
                        : nla_put_u32(message, CTA_FILTER_REPLY_FLAGS, reply ? wanted->flags : 0);
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
    int result = 0;
    if (search->filter->tuple != 0) {
        result = put_tuple(message, search);
        result = result < 0 ? result : put_filter(message, search->filter);
    }
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
    struct nl_sock *sock = NULL;
    int result = netfilter_take(&sock);
    if (result < 0) {
        return result;
    }
    drop_found(search);
    (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note_entry, search);
    result = send_request(sock, search);
    if (result >= 0) {
        result = nl_recvmsgs_default(sock);
    }
    netfilter_give_back(sock, result);
    return result;
}

/* -- Forgetting ----------------------------------------------------------------------------------- */

static int forget_found(const struct search *search)
{
    struct nl_sock *sock = NULL;
    int result = search->count > 0 ? netfilter_take(&sock) : 0;
    for (size_t i = 0; i < search->count && result >= 0; i++) {
        result = nfnl_ct_del(sock, search->found[i], 0);
        if (result == -NLE_OBJ_NOTFOUND) {
            result = 0;
        }
    }
    netfilter_give_back(sock, result);
    return result;
}

/* What nfnetlink and netlink say of a part that the kernel lacks. */
static bool is_missing(int result)
{
    return result == -NLE_PROTO_MISMATCH || result == -NLE_OPNOTSUPP || result == -NLE_INVAL ||
           result == -NLE_AF_NOSUPPORT;
}

static int walk(struct search *search, banger_error *err)
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

static int forget(struct search *search, const char *address, banger_error *err)
{
    int count = 0;
    if (inet_pton(AF_INET, address, &search->address) != 1) {
        return error_set(err, BANGER_EINVALID, "'%.64s' is not an IPv4 address", address);
    }
    if (sysctl_read("net/netfilter/nf_conntrack_count", &count, NULL) < 0 || count == 0) {
        return 0;
    }
    search->filter = search->filters;
    while (count <= FEW && search->filter->tuple != 0) {
        search->filter++;
    }
    do {
        if (walk(search, err) < 0) {
            return -1;
        }
    } while (search->filter->tuple != 0 && (++search->filter)->tuple != 0);
    return 0;
}

int conntrack_forget(const char *address, banger_error *err)
{
    static const struct filter filters[] = {
        {CTA_TUPLE_ORIG, FILTER_IP_SOURCE},
        {CTA_TUPLE_REPLY, FILTER_IP_SOURCE},
        {0, 0},
    };
    struct search search = {.is_meant = is_guests, .filters = filters};
    return forget(&search, address, err);
}

int conntrack_forget_ports(const char *address, const struct conntrack_port *ports, size_t count,
                           banger_error *err)
{
    static const struct filter filters[] = {
        {CTA_TUPLE_REPLY, FILTER_IP_SOURCE},
        {CTA_TUPLE_ORIG, FILTER_PROTOCOL},
        {0, 0},
    };
    struct search search = {
        .is_meant = is_ports,
        .ports = ports,
        .port_count = count,
        .filters = filters,
    };
    return count == 0 ? 0 : forget(&search, address, err);
}
