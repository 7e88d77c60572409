/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *   1. NFT_MSG_GETTABLE for the table; NFT_MSG_GETCHAIN, a dump of the family's chains, of which the
 *      table's count; NFT_MSG_GETRULE, a dump of the table's rules (linux/netfilter/nf_tables.h).
 *   2. A transaction of anybody during a dump makes the kernel mark it as interrupted: all once more.
 */
#include "host/nft_rules.h"

#include "base/cleanup.h"
#include "host/netfilter.h"
#include "host/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

#define ATTEMPTS 16 /* a transaction takes microseconds; sixteen in a row is a storm */

/* In each kind of message the first attribute is the table's name. */
#define TABLE_NAME 1
#define BIT(attribute) (1U << (attribute))

static const struct {
    uint8_t ask;
    uint8_t answer;
    int flags;
    uint32_t attributes; /* that count */
} kinds[] = {
    {NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE, 0,
     BIT(NFTA_TABLE_NAME) | BIT(NFTA_TABLE_FLAGS) | BIT(NFTA_TABLE_HANDLE)},
    {NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, NLM_F_DUMP,
     BIT(NFTA_CHAIN_TABLE) | BIT(NFTA_CHAIN_HANDLE) | BIT(NFTA_CHAIN_NAME) | BIT(NFTA_CHAIN_HOOK) |
         BIT(NFTA_CHAIN_POLICY) | BIT(NFTA_CHAIN_TYPE) | BIT(NFTA_CHAIN_FLAGS)},
    {NFT_MSG_GETRULE, NFT_MSG_NEWRULE, NLM_F_DUMP,
     BIT(NFTA_RULE_TABLE) | BIT(NFTA_RULE_CHAIN) | BIT(NFTA_RULE_HANDLE)},
};

struct reading {
    const char *table;
    struct buf *identity;
    uint32_t generation;
};

static void note_object(struct reading *reading, struct nlmsghdr *header, uint32_t attributes)
{
    const struct nlattr *name = nlmsg_find_attr(header, sizeof(struct nfgenmsg), TABLE_NAME);
    if (name == NULL || nla_strcmp(name, reading->table) != 0) {
        return;
    }
    struct nlattr *at = NULL;
    int left = 0;
    nlmsg_for_each_attr(at, header, sizeof(struct nfgenmsg), left)
    {
        if (nla_type(at) < 32 && (attributes & BIT(nla_type(at))) != 0) {
            buf_append(reading->identity, at, at->nla_len);
        }
    }
}

static int note_message(struct nl_msg *message, void *context)
{
    struct reading *reading = context;
    struct nlmsghdr *header = nlmsg_hdr(message);
    uint8_t type = (uint8_t)NFNL_MSG_TYPE(header->nlmsg_type);
    if (type == NFT_MSG_NEWGEN) {
        struct nlattr *id = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_GEN_ID);
        reading->generation = id != NULL ? ntohl(nla_get_u32(id)) : 0;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (type == kinds[i].answer) {
            note_object(reading, header, kinds[i].attributes);
        }
    }
    return NL_OK;
}

static int ask(struct nl_sock *sock, uint8_t family, uint8_t type, int flags, const char *table)
{
    struct nl_msg *message = nfnlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES, type, flags, family, 0);
    if (message == NULL) {
        return -NLE_NOMEM;
    }
    int result = table != NULL ? nla_put_string(message, TABLE_NAME, table) : 0;
    result = result < 0 ? result : nl_send_auto(sock, message);
    nlmsg_free(message);
    result = result < 0 ? result : nl_recvmsgs_default(sock);
    /* A dump ends by itself. */
    return result < 0 || (flags & NLM_F_DUMP) != 0 ? result : nl_wait_for_ack(sock);
}

static int read_once(uint8_t family, struct reading *reading)
{
    struct nl_sock *sock = NULL;
    int result = netfilter_take(&sock);
    if (result < 0) {
        return result;
    }
    (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note_message, reading);
    for (size_t i = 0; i < COUNT_OF(kinds) && result >= 0; i++) {
        result = ask(sock, family, kinds[i].ask, kinds[i].flags, reading->table);
    }
    netfilter_give_back(sock, result);
    return result;
}

int nft_rules_read(uint8_t family, const char *table, struct buf *identity, banger_error *err)
{
    struct reading reading = {.table = table, .identity = identity};
    size_t length = identity->length;
    int result = -NLE_DUMP_INTR;
    for (int i = 0; i < ATTEMPTS && result == -NLE_DUMP_INTR; i++) {
        identity->length = length;
        result = read_once(family, &reading);
    }
    return result < 0 ? netlink_error(err, result, "cannot read the nft table %s", table) : 0;
}

int nft_rules_generation(uint32_t *generation, banger_error *err)
{
    struct reading reading = {.table = NULL};
    struct nl_sock *sock = NULL;
    int result = netfilter_take(&sock);
    if (result >= 0) {
        (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note_message, &reading);
        result = ask(sock, NFPROTO_UNSPEC, NFT_MSG_GETGEN, 0, NULL);
    }
    netfilter_give_back(sock, result);
    *generation = reading.generation;
    return result < 0 ? netlink_error(err, result, "cannot ask for nft's generation") : 0;
}
