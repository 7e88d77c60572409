/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy. The texts below are nft's own language and go to the kernel as they stand here; what is
 * put in ("%1$s" is always the bridge) is said above each.
 *
 * Every verdict `accept` ends our chain only: what another table drops stays dropped.
 */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/address.h"
#include "host/firewall_seal.h"
#include "host/firewall_table.h"
#include "host/nft.h"
#include "host/nft_rules.h"
#include "host/tap.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* -- Honest, and apart ---------------------------------------------------------------------------- */

/* 2: the owner set */
static const char honest_sets[] =
    "table bridge banger-%1$s {\n"
    "  set %2$s { type mark; }\n"
    "  set macs { type ifname . ether_addr; }\n"
    "  set guests { type ifname . ether_addr . ipv4_addr; }\n"
    "  set guests6 { type ifname . ether_addr . ipv6_addr; }\n"
    /* The same as guests6, as the number that stands in a neighbour advertisement. */
    "  set targets6 { typeof iifname . ether saddr . @th,64,128; }\n"
    "}\n"
    "flush table bridge banger-%1$s\n";

/* 2: between guests, drop or accept; 3: IPv6, counter drop or continue; 4 and 5: by which bridge a frame
 * comes or goes, where the kernel can say (nft_meta_bridge; Debian's can). Elsewhere ports are known by
 * name alone, and a second banger with a bridge of its own is refused (firewall_check_alone). */
static const char honest_rules[] =
    "table bridge banger-%1$s {\n"
    "  chain prerouting {\n"
    "    type filter hook prerouting priority -300; policy accept;\n"
    "    %4$siifname \"" TAP_PREFIX "*\" goto from_guest\n"
    "  }\n"
    "  chain forward {\n"
    "    type filter hook forward priority -200; policy accept;\n"
    "    %4$siifname \"" TAP_PREFIX "*\" oifname \"" TAP_PREFIX "*\" counter %2$s\n"
    "  }\n"
    "  chain postrouting {\n"
    "    type filter hook postrouting priority 300; policy accept;\n"
    "    %5$soifname \"" TAP_PREFIX "*\" goto to_guest\n"
    "  }\n"
    "\n"
    "  # What a guest sends carries its own addresses. Other protocols, VLAN tags among them, end\n"
    "  # here.\n"
    "  chain from_guest {\n"
    "    ether type != { ip, ip6, arp } counter drop\n"
    "    iifname . ether saddr != @macs counter drop\n"
    "    ether type ip iifname . ether saddr . ip saddr @guests accept\n"
    "    ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 jump from_guest_arp\n"
    "    ether type ip6 goto from_guest6\n"
    "    counter drop\n"
    "  }\n"
    "  chain from_guest_arp {\n"
    "    iifname . arp saddr ether . arp saddr ip @guests accept\n"
    "  }\n"
    "  chain from_guest6 {\n"
    "    %3$s\n"
    "    # Guests are no routers, and speak for nobody else (0x3fa: fe80::/10).\n"
    "    icmpv6 type { nd-router-advert, nd-redirect } counter drop\n"
    "    icmpv6 type nd-neighbor-advert @th,64,10 != 0x3fa iifname . ether saddr . @th,64,128 != "
    "@targets6 counter drop\n"
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 saddr { ::, fe80::/10 } "
    "accept\n"
    "    iifname . ether saddr . ip6 saddr @guests6 accept\n"
    "    counter drop\n"
    "  }\n"
    "\n"
    "  # A guest gets what is addressed to it, even when the bridge takes it to be elsewhere: "
    "where it\n"
    "  # does not know an address it floods, and LLDP frames, which pass no hook on their way in, "
    "can\n"
    "  # teach it wrong ones.\n"
    "  chain to_guest {\n"
    "    ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 accept\n"
    "    ether type arp oifname . ether daddr @macs accept\n"
    "    ether type ip oifname . ether daddr . ip daddr @guests accept\n"
    "    ether type ip6 oifname . ether daddr . ip6 daddr @guests6 accept\n"
    "    ether type ip6 ip6 daddr fe80::/10 oifname . ether daddr @macs accept\n"
    "    counter drop\n"
    "  }\n"
    "}\n";

/* -- Connected ------------------------------------------------------------------------------------ */

/* 2: the owner set */
static const char connected_sets[] =
    "table inet banger-%1$s {\n"
    "  set %2$s { type mark; }\n"
    "  set nat { type ipv4_addr; }\n"
    "  set uplinks { type ifname; }\n"
    "  map publish { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "  map publish_any { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "}\n"
    "flush table inet banger-%1$s\n";

/* 2: the guests' prefix; 3: between guests, drop or accept; 4: published ports from the bridge, return
 * or continue */
static const char connected_rules[] =
    "table inet banger-%1$s {\n"
    "  # Before anything is remembered or translated: route_localnet, which published ports on\n"
    "  # loopback need, would let the bridge's guests speak as and to 127.0.0.1.\n"
    "  chain raw {\n"
    "    type filter hook prerouting priority -300; policy accept;\n"
    "    iifname \"%1$s\" ip saddr != %2$s counter drop\n"
    "    iifname \"%1$s\" ip daddr 127.0.0.0/8 counter drop\n"
    "  }\n"
    "\n"
    "  # Published ports: from outside, and from this host itself. Guests that are apart do not "
    "reach\n"
    "  # each other by that way either; those that are not keep their way to the host's DNS.\n"
    "  chain prerouting {\n"
    "    type nat hook prerouting priority -100; policy accept;\n"
    "    iifname \"%1$s\" %4$s\n"
    "    iifname \"%1$s\" fib daddr . iif type local th dport 53 return\n"
    "    dnat ip to ip daddr . ip protocol . th dport map @publish\n"
    "    fib daddr type local dnat ip to ip protocol . th dport map @publish_any\n"
    "  }\n"
    "  chain output {\n"
    "    type nat hook output priority -100; policy accept;\n"
    "    dnat ip to ip daddr . ip protocol . th dport map @publish\n"
    "    fib daddr type local dnat ip to ip protocol . th dport map @publish_any\n"
    "  }\n"
    "  chain postrouting {\n"
    "    type nat hook postrouting priority 100; policy accept;\n"
    "    oifname @uplinks oifname != \"%1$s\" ip saddr @nat masquerade\n"
    "    # Answers must come back through here, though the guest could reach who asks directly, "
    "or\n"
    "    # has a 127.0.0.1 of its own.\n"
    "    oifname \"%1$s\" ct status dnat ip saddr { 127.0.0.0/8, %2$s } masquerade\n"
    "  }\n"
    "\n"
    "  # To this host: answers, DNS and ping on the bridge's own address; nothing else, on "
    "whatever\n"
    "  # address.\n"
    "  chain input {\n"
    "    type filter hook input priority 0; policy accept;\n"
    "    iifname \"%1$s\" goto guest_to_host\n"
    "    # The gateway's address is for guests and this host: its DNS answers no one else.\n"
    "    iifname != { \"%1$s\", \"lo\" } ip daddr %2$s counter drop\n"
    "  }\n"
    "  chain guest_to_host {\n"
    "    ct state established,related accept\n"
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept\n"
    "    fib daddr . iif type != local counter drop\n"
    "    udp dport 53 accept\n"
    "    tcp dport 53 accept\n"
    "    icmp type echo-request accept\n"
    "    icmpv6 type echo-request accept\n"
    "    counter drop\n"
    "  }\n"
    "\n"
    "  # Through this host. What a guest may is asked of each packet, not only of the first: who "
    "loses\n"
    "  # NAT loses its connections.\n"
    "  chain forward {\n"
    "    type filter hook forward priority 0; policy accept;\n"
    "    iifname \"%1$s\" oifname \"%1$s\" counter %3$s\n"
    "    iifname \"%1$s\" goto guest_to_world\n"
    "    oifname \"%1$s\" goto world_to_guest\n"
    "  }\n"
    "  chain guest_to_world {\n"
    "    # Link-local: 169.254.169.254 hands a cloud machine's credentials out.\n"
    "    ip daddr 169.254.0.0/16 counter drop\n"
    "    ip saddr @nat oifname @uplinks accept\n"
    "    meta nfproto ipv4 ct status dnat ct direction reply accept\n"
    "    counter drop\n"
    "  }\n"
    "  chain world_to_guest {\n"
    "    ip daddr @nat ct state established,related accept\n"
    "    meta nfproto ipv4 ct status dnat ct direction original accept\n"
    "    counter drop\n"
    "  }\n"
    "}\n";

/* -- Making and removing -------------------------------------------------------------------------- */

#define TABLES 2

/* Held by all making and removing: two starts must not both find no table. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static const enum firewall_family tables[TABLES] = {FIREWALL_BRIDGE, FIREWALL_INET};

/* Fails where the table has come or gone since it was looked at. */
static char *claim(const struct host *host, enum firewall_family family, const char *bridge,
                   enum firewall_state state)
{
    char table[FIREWALL_NAME_MAX];
    char owner[FIREWALL_NAME_MAX];
    firewall_table_name(bridge, table);
    firewall_owner_name(host, owner);
    const char *name = firewall_family_name(family);
    return state == FIREWALL_ABSENT ? str_format("create table %s %s\n", name, table)
                                    : str_format("flush set %s %s %s\n", name, table, owner);
}

static int check_ours(struct host *host, const char *bridge, enum firewall_state states[TABLES],
                      banger_error *err)
{
    if (firewall_check_bridge(bridge, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < TABLES; i++) {
        if (firewall_state(host, tables[i], bridge, &states[i], err) < 0) {
            return -1;
        }
        if (states[i] == FIREWALL_FOREIGN) {
            return firewall_refuse(tables[i], bridge, states[i], err);
        }
    }
    return 0;
}

static int check_plan(const struct firewall_plan *plan, char prefix[ADDRESS_TEXT_MAX],
                      banger_error *err)
{
    struct address range;
    if (address_parse(plan->prefix, &range, err) < 0) {
        return -1;
    }
    if (range.family != AF_INET) {
        return error_set(err, BANGER_EINVALID, "'%s' is not an IPv4 prefix", plan->prefix);
    }
    range = address_network(&range);
    address_format(&range, prefix);
    struct address range6;
    return plan->prefix6 != NULL ? address_parse(plan->prefix6, &range6, err) : 0;
}

static char *policy(const struct host *host, const struct firewall_plan *plan, const char *prefix,
                    bool by_bridge)
{
    char owner[FIREWALL_NAME_MAX];
    firewall_owner_name(host, owner);
    const char *between = plan->isolate ? "drop" : "accept";
    const char *published = plan->isolate ? "return" : "continue";
    const char *ip6 = plan->prefix6 != NULL ? "continue" : "counter drop";
    AUTO_FREE char *from =
        by_bridge ? str_format("meta ibrname \"%s\" ", plan->bridge) : xstrdup("");
    AUTO_FREE char *to = by_bridge ? str_format("meta obrname \"%s\" ", plan->bridge) : xstrdup("");
    AUTO_BUF struct buf text = BUF_INIT;
    buf_printf(&text, honest_sets, plan->bridge, owner);
    buf_printf(&text, connected_sets, plan->bridge, owner);
    buf_printf(&text, honest_rules, plan->bridge, between, ip6, from, to);
    buf_printf(&text, connected_rules, plan->bridge, prefix, between, published);
    return buf_steal(&text);
}

/* The whole as one transaction. Kernels differ in what they know a frame's bridge by; one that knows
 * none says so once, since a transaction that fails costs an RCU grace period (nf_tables_abort). */
static int install(struct host *host, const struct firewall_plan *plan, const char *prefix,
                   const enum firewall_state states[TABLES], banger_error *err)
{
    AUTO_FREE char *first = claim(host, tables[0], plan->bridge, states[0]);
    AUTO_FREE char *second = claim(host, tables[1], plan->bridge, states[1]);
    static atomic_bool lacks_bridge;
    for (;;) {
        bool by_bridge = !lacks_bridge;
        if (!by_bridge && firewall_check_alone(plan->bridge, err) < 0) {
            return -1;
        }
        AUTO_FREE char *body = policy(host, plan, prefix, by_bridge);
        AUTO_FREE char *text = str_format("%s%s%s", first, second, body);
        banger_error why = BANGER_ERROR_INIT;
        if (nft_run(host, text, &why) == 0) {
            return 0;
        }
        if (why.code != BANGER_EUNSUPPORTED || !by_bridge) {
            error_join(err, &why);
            return error_prefix(err, "cannot set the firewall of %s up: ", plan->bridge);
        }
        lacks_bridge = true;
    }
}

static int ensure_locked(struct host *host, const struct firewall_plan *plan, const char *prefix,
                         bool *created, banger_error *err)
{
    enum firewall_state states[TABLES];
    AUTO_FREE char *text = policy(host, plan, prefix, true);
    if (firewall_seal_holds(host, plan->bridge, text)) {
        return 0;
    }
    uint32_t before = 0;
    if (check_ours(host, plan->bridge, states, err) < 0 || nft_rules_generation(&before, err) < 0 ||
        install(host, plan, prefix, states, err) < 0) {
        return -1;
    }
    firewall_seal_set(host, plan->bridge, text, before + 1);
    for (size_t i = 0; i < TABLES; i++) {
        *created = *created || states[i] == FIREWALL_ABSENT;
    }
    return 0;
}

int firewall_ensure(struct host *host, const struct firewall_plan *plan, bool *created,
                    banger_error *err)
{
    bool made = false;
    char prefix[ADDRESS_TEXT_MAX];
    if (firewall_check_bridge(plan->bridge, err) < 0 || check_plan(plan, prefix, err) < 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&making);
    int result = ensure_locked(host, plan, prefix, &made, err);
    (void)pthread_mutex_unlock(&making);
    if (created != NULL) {
        *created = made;
    }
    return result;
}

int firewall_check(struct host *host, const char *bridge, banger_error *err)
{
    enum firewall_state states[TABLES];
    return check_ours(host, bridge, states, err);
}

int firewall_remove(struct host *host, const char *bridge, banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    if (firewall_check_bridge(bridge, err) < 0) {
        return -1;
    }
    firewall_table_name(bridge, table);
    int result = 0;
    (void)pthread_mutex_lock(&making);
    for (size_t i = 0; i < TABLES; i++) {
        banger_error why = BANGER_ERROR_INIT;
        AUTO_FREE char *text =
            str_format("delete table %s %s\n", firewall_family_name(tables[i]), table);
        if (firewall_retract(host, tables[i], bridge, text, &why) < 0) {
            error_join(err, &why);
            result = -1;
        }
    }
    (void)pthread_mutex_unlock(&making);
    return result;
}
