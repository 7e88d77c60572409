/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "host/nft.h"

/* Ours have the policy accept. Only IPv4 of guests is forwarded, which ip and inet see. */
static bool is_drop(const json_t *row)
{
    const char *family = json_get_string(row, "chain.family", "");
    return str_equal(json_get_string(row, "chain.hook", ""), "forward") &&
           str_equal(json_get_string(row, "chain.policy", ""), "drop") &&
           (str_equal(family, "ip") || str_equal(family, "inet"));
}

int firewall_foreign_drops(struct host *host, json_t *names, banger_error *err)
{
    AUTO_JSON json_t *list = nft_list(host, "list chains", err);
    if (list == NULL) {
        return -1;
    }
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach (list, i, row) {
        if (is_drop(row)) {
            AUTO_FREE char *name = str_format("%s %s %s", json_get_string(row, "chain.family", ""),
                                              json_get_string(row, "chain.table", ""),
                                              json_get_string(row, "chain.name", ""));
            (void)json_array_append_new(names, json_lossy_string(name));
        }
    }
    return 0;
}
