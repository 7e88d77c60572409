/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/conntrack.h"
#include "host/firewall_table.h"

#include <string.h>
#include <sys/socket.h>

int firewall_nat_on(struct host *host, const char *vm_id, const char *bridge, const char *address,
                    banger_error *err)
{
    if (firewall_check_vm(vm_id, err) < 0 || firewall_check_bridge(bridge, err) < 0 ||
        firewall_check_address(AF_INET, address, err) < 0) {
        return -1;
    }
    AUTO_FREE char *text = str_format("add element inet banger-%s nat { %s comment \"%.*s\" }\n",
                                      bridge, address, SHORT_ID_LENGTH, vm_id);
    return firewall_change(host, FIREWALL_INET, bridge, text, err);
}

int firewall_nat_off(struct host *host, const char *bridge, const char *address, banger_error *err)
{
    if (firewall_check_bridge(bridge, err) < 0 ||
        firewall_check_address(AF_INET, address, err) < 0) {
        return -1;
    }
    /* To delete what is not there fails (`destroy` came with nft 1.0.7 and Linux 6.3); to add what is
     * there does not. */
    AUTO_FREE char *text = str_format("add element inet banger-%1$s nat { %2$s }\n"
                                      "delete element inet banger-%1$s nat { %2$s }\n",
                                      bridge, address);
    if (firewall_retract(host, FIREWALL_INET, bridge, text, err) < 0) {
        return -1;
    }
    return conntrack_forget(address, err);
}

/* Others' links: dev_valid_name() of the kernel bars '/', ':' and white space; what could end a
 * string of nft's is barred here. */
static int check_link(const char *name, banger_error *err)
{
    size_t length = strnlen(name, IFNAMSIZ);
    bool good = length >= 1 && length < IFNAMSIZ;
    for (size_t i = 0; good && i < length; i++) {
        good = name[i] > ' ' && name[i] < 0x7f && strchr("\"\\*/:$", name[i]) == NULL;
    }
    return good ? 0 : error_set(err, BANGER_EINVALID, "'%.15s' is not a link's name", name);
}

/* So that a start changes nothing that is as it should be. False: or it cannot be told. */
static bool are_uplinks(const struct host *host, const char *bridge, const char (*names)[16],
                        size_t count)
{
    AUTO_FREE struct nft_element *there = NULL;
    size_t there_count = 0;
    if (!firewall_is_ours(host, FIREWALL_INET, bridge) ||
        firewall_read(FIREWALL_INET, bridge, "uplinks", &there, &there_count, NULL) < 0 ||
        there_count != count) {
        return false;
    }
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < there_count; j++) {
            same += strncmp(names[i], (const char *)there[j].key, IFNAMSIZ) == 0;
        }
    }
    return same == count;
}

int firewall_set_uplinks(struct host *host, const char *bridge, const char (*names)[16],
                         size_t count, banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    if (firewall_check_bridge(bridge, err) < 0) {
        return -1;
    }
    if (are_uplinks(host, bridge, names, count)) {
        return 0;
    }
    buf_printf(&text, "flush set inet banger-%s uplinks\n", bridge);
    for (size_t i = 0; i < count; i++) {
        if (check_link(names[i], err) < 0) {
            return -1;
        }
        buf_printf(&text, "add element inet banger-%s uplinks { \"%s\" }\n", bridge, names[i]);
    }
    return firewall_change(host, FIREWALL_INET, bridge, text.data, err);
}

int firewall_is_idle(struct host *host, const char *bridge, bool *idle, banger_error *err)
{
    static const char *const sets[] = {"nat", "publish", "publish_any"};
    (void)host;
    if (firewall_check_bridge(bridge, err) < 0) {
        return -1;
    }
    *idle = true;
    for (size_t i = 0; i < COUNT_OF(sets) && *idle; i++) {
        AUTO_FREE struct nft_element *elements = NULL;
        size_t count = 0;
        if (firewall_read(FIREWALL_INET, bridge, sets[i], &elements, &count, err) < 0) {
            return -1;
        }
        *idle = count == 0;
    }
    return 0;
}
