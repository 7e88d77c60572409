/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/firewall_seal.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/firewall_table.h"
#include "host/nft_rules.h"

#include <linux/netfilter.h>
#include <string.h>

/* The host's pointer to it is guarded by the host's lock. */
struct firewall_seal {
    char *text;
    struct buf identity; /* of both tables, as nft_rules_read has it */
};

void firewall_seal_free(struct firewall_seal *seal)
{
    if (seal != NULL) {
        free(seal->text);
        buf_free(&seal->identity);
        free(seal);
    }
}

static bool identify(const char *bridge, struct buf *identity)
{
    char table[FIREWALL_NAME_MAX];
    firewall_table_name(bridge, table);
    return nft_rules_read(NFPROTO_BRIDGE, table, identity, NULL) == 0 &&
           nft_rules_read(NFPROTO_INET, table, identity, NULL) == 0;
}

bool firewall_seal_holds(struct host *host, const char *bridge, const char *text)
{
    AUTO_BUF struct buf now = BUF_INIT;
    if (!identify(bridge, &now)) {
        return false;
    }
    (void)pthread_mutex_lock(&host->lock);
    const struct firewall_seal *seal = host->seal;
    bool holds = seal != NULL && strcmp(seal->text, text) == 0 &&
                 seal->identity.length == now.length &&
                 memcmp(seal->identity.data, now.data, now.length) == 0;
    (void)pthread_mutex_unlock(&host->lock);
    return holds;
}

void firewall_seal_set(struct host *host, const char *bridge, const char *text, uint32_t generation)
{
    struct firewall_seal *seal = xcalloc(1, sizeof(*seal));
    uint32_t last = 0;
    seal->text = xstrdup(text);
    if (!identify(bridge, &seal->identity) || nft_rules_generation(&last, NULL) < 0 ||
        last != generation) {
        firewall_seal_free(seal);
        seal = NULL;
    }
    (void)pthread_mutex_lock(&host->lock);
    struct firewall_seal *before = host->seal;
    host->seal = seal;
    (void)pthread_mutex_unlock(&host->lock);
    firewall_seal_free(before);
}
