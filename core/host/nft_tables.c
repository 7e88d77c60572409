/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/nft_tables.h"

#include "host/netfilter.h"
#include "host/netlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

#define ATTEMPTS 16 /* a transaction of anybody during a dump interrupts it */

struct search {
    bool (*is_meant)(const char *name, const char *own);
    const char *own;
    char *found;
};

static int note_table(struct nl_msg *message, void *context)
{
    struct search *search = context;
    struct nlattr *name =
        nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
    if (name != NULL && search->found[0] == '\0') {
        (void)nla_strlcpy(search->found, name, NFT_TABLE_NAME_MAX);
        if (!search->is_meant(search->found, search->own)) {
            search->found[0] = '\0';
        }
    }
    return NL_OK;
}

static int find_once(uint8_t family, struct search *search)
{
    struct nl_sock *sock = NULL;
    int result = netfilter_take(&sock);
    if (result < 0) {
        return result;
    }
    (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, note_table, search);
    struct nl_msg *message =
        nfnlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NLM_F_DUMP, family, 0);
    result = message != NULL ? nl_send_auto(sock, message) : -NLE_NOMEM;
    nlmsg_free(message);
    result = result < 0 ? result : nl_recvmsgs_default(sock);
    netfilter_give_back(sock, result);
    return result;
}

/* nfnetlink's answers where there is no nf_tables, nor a module of that name. */
static bool is_missing(int result)
{
    return result == -NLE_INVAL || result == -NLE_OPNOTSUPP || result == -NLE_AF_NOSUPPORT;
}

int nft_tables_find(uint8_t family, bool (*is_meant)(const char *name, const char *own),
                    const char *own, char found[NFT_TABLE_NAME_MAX], banger_error *err)
{
    struct search search = {.is_meant = is_meant, .own = own, .found = found};
    int result = -NLE_DUMP_INTR;
    for (int i = 0; i < ATTEMPTS && result == -NLE_DUMP_INTR; i++) {
        found[0] = '\0';
        result = find_once(family, &search);
    }
    if (is_missing(result)) {
        return error_set(err, BANGER_EUNSUPPORTED, "this kernel has no nf_tables");
    }
    return result < 0 ? netlink_error(err, result, "cannot read the nft tables") : 0;
}
