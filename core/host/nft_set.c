/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *   1. One request, NFT_MSG_GETSETELEM with NLM_F_DUMP, names the table and the set.
 *   2. The answers are messages of some forty elements each: a list of nests, each with key, value and
 *      user data (linux/netfilter/nf_tables.h, enum nft_set_elem_attributes).
 *   3. A transaction of anybody meanwhile makes the kernel mark the dump as interrupted: once more.
 */
#include "host/nft_set.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/netfilter.h"
#include "host/netlink.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

#define DUMP_ATTEMPTS 16 /* a transaction takes microseconds; sixteen in a row is a storm */

struct reading {
    struct buf elements; /* of struct nft_element */
};

static void copy_fields(struct nlattr *data, uint8_t fields[NFT_FIELDS_MAX])
{
    const struct nlattr *value =
        data != NULL ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VALUE) : NULL;
    if (value != NULL && nla_len(value) <= NFT_FIELDS_MAX) {
        memcpy(fields, nla_data(value), (size_t)nla_len(value));
    }
}

/* User data is a row of {type, length, value}; type 0 is the comment, with its NUL
 * (NFTNL_UDATA_SET_ELEM_COMMENT, libnftnl/udata.h). */
static void copy_comment(const struct nlattr *data, char comment[NFT_COMMENT_MAX])
{
    const uint8_t *at = data != NULL ? nla_data(data) : NULL;
    size_t left = data != NULL ? (size_t)nla_len(data) : 0;
    while (left >= 2 && (size_t)at[1] + 2 <= left) {
        if (at[0] == 0) {
            size_t length = at[1] < NFT_COMMENT_MAX ? at[1] : NFT_COMMENT_MAX - 1;
            memcpy(comment, at + 2, length);
            return;
        }
        left -= (size_t)at[1] + 2;
        at += at[1] + 2;
    }
}

static int read_message(struct nl_msg *message, void *context)
{
    struct reading *reading = context;
    struct nlattr *list =
        nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
    if (list == NULL) {
        return NL_OK;
    }
    struct nlattr *nest = NULL;
    int left = 0;
    nla_for_each_nested(nest, list, left)
    {
        struct nlattr *attrs[NFTA_SET_ELEM_MAX + 1];
        if (nla_parse_nested(attrs, NFTA_SET_ELEM_MAX, nest, NULL) < 0) {
            return -NLE_PARSE_ERR;
        }
        struct nft_element element = {0};
        copy_fields(attrs[NFTA_SET_ELEM_KEY], element.key);
        copy_fields(attrs[NFTA_SET_ELEM_DATA], element.value);
        copy_comment(attrs[NFTA_SET_ELEM_USERDATA], element.comment);
        buf_append(&reading->elements, &element, sizeof(element));
    }
    return NL_OK;
}

static int send_request(struct nl_sock *sock, uint8_t family, const char *table, const char *set)
{
    struct nl_msg *message =
        nfnlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM, NLM_F_DUMP, family, 0);
    if (message == NULL) {
        return -NLE_NOMEM;
    }
    int result = nla_put_string(message, NFTA_SET_ELEM_LIST_TABLE, table);
    if (result >= 0) {
        result = nla_put_string(message, NFTA_SET_ELEM_LIST_SET, set);
    }
    if (result >= 0) {
        result = nl_send_auto(sock, message);
    }
    nlmsg_free(message);
    return result;
}

static int read_once(struct reading *reading, uint8_t family, const char *table, const char *set)
{
    struct nl_sock *sock = NULL;
    int result = netfilter_take(&sock);
    if (result < 0) {
        return result;
    }
    reading->elements.length = 0;
    (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, read_message, reading);
    result = send_request(sock, family, table, set);
    if (result >= 0) {
        result = nl_recvmsgs_default(sock);
    }
    netfilter_give_back(sock, result);
    return result;
}

int nft_set_read(uint8_t family, const char *table, const char *set, struct nft_element **list,
                 size_t *count, banger_error *err)
{
    struct reading reading = {.elements = BUF_INIT};
    int result = -NLE_DUMP_INTR;
    for (int i = 0; i < DUMP_ATTEMPTS && result == -NLE_DUMP_INTR; i++) {
        result = read_once(&reading, family, table, set);
    }
    if (result < 0) {
        buf_free(&reading.elements);
        return netlink_error(err, result, "cannot read the nft set %s of table %s", set, table);
    }
    *count = reading.elements.length / sizeof(struct nft_element);
    *list = (struct nft_element *)(void *)buf_steal(&reading.elements);
    return 0;
}
