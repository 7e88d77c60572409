/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/address.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <string.h>

static unsigned bits_of(int family)
{
    return family == AF_INET ? 32 : 128;
}

int address_parse(const char *text, struct address *address, banger_error *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    size_t length = strcspn(text, "/");
    int64_t prefix = 0;
    struct address parsed = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
    unsigned bits = bits_of(parsed.family);
    if (length < sizeof(host)) {
        memcpy(host, text, length);
    }
    if (inet_pton(parsed.family, host, parsed.bytes) != 1) {
        return error_set(err, BANGER_EINVALID, "'%s' is not an IP address", text);
    }
    if (text[length] == '\0') {
        prefix = bits;
    } else if (number_parse("prefix length", text + length + 1, 0, bits, &prefix, err) < 0) {
        return -1;
    }
    parsed.prefix = (unsigned)prefix;
    *address = parsed;
    return 0;
}

bool address_from_nl(const struct nl_addr *from, struct address *address)
{
    int family = from == NULL ? AF_UNSPEC : nl_addr_get_family(from);
    unsigned length = from == NULL ? 0 : nl_addr_get_len(from);
    if ((family != AF_INET && family != AF_INET6) || length > bits_of(family) / 8) {
        return false;
    }
    *address = (struct address){.family = family, .prefix = nl_addr_get_prefixlen(from)};
    if (length > 0) { /* a default route's destination has none */
        memcpy(address->bytes, nl_addr_get_binary_addr(from), length);
    }
    return true;
}

void address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    (void)inet_ntop(address->family, address->bytes, host, sizeof(host));
    (void)snprintf(text, ADDRESS_TEXT_MAX, "%s/%u", host, address->prefix);
}

static bool bit_at(const struct address *address, unsigned bit)
{
    return (address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

struct address address_network(const struct address *address)
{
    struct address network = *address;
    for (unsigned i = address->prefix; i < bits_of(address->family); i++) {
        network.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    }
    return network;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool address_overlaps(const struct address *a, const struct address *b)
{
    unsigned common = a->prefix < b->prefix ? a->prefix : b->prefix;
    if (a->family != b->family) {
        return false;
    }
    for (unsigned i = 0; i < common; i++) {
        if (bit_at(a, i) != bit_at(b, i)) {
            return false;
        }
    }
    return true;
}

bool address_is_edge(const struct address *address, const struct address *network, bool ones)
{
    for (unsigned i = network->prefix; i < bits_of(network->family); i++) {
        if (bit_at(address, i) != ones) {
            return false;
        }
    }
    return true;
}

static int fill_addresses(struct nl_sock *sock, struct nl_cache **cache)
{
    return rtnl_addr_alloc_cache(sock, cache);
}

/* Whether it is one of the link's that we decide on, as an address. */
static bool is_ours(struct rtnl_addr *found, const struct link *link, int family,
                    struct address *address)
{
    return rtnl_addr_get_ifindex(found) == link->index && rtnl_addr_get_family(found) == family &&
           (family != AF_INET6 || rtnl_addr_get_scope(found) != RT_SCOPE_LINK) &&
           address_from_nl(rtnl_addr_get_local(found), address);
}

int address_list(const struct link *link, int family, struct address **list, size_t *count,
                 banger_error *err)
{
    AUTO_CACHE struct nl_cache *cache = netlink_dump(fill_addresses, err);
    if (cache == NULL) {
        return -1;
    }
    struct address *all = xcalloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*all));
    size_t found = 0;
    for (struct nl_object *at = nl_cache_get_first(cache); at != NULL; at = nl_cache_get_next(at)) {
        if (is_ours((struct rtnl_addr *)at, link, family, &all[found])) {
            found++;
        }
    }
    *list = all;
    *count = found;
    return 0;
}

/* Adds (flags) or removes one; libnl's result. */
static int request(const struct link *link, const struct address *address, bool add)
{
    AUTO_NL struct nl_sock *sock = netlink_open(NULL);
    struct rtnl_addr *wanted = rtnl_addr_alloc();
    struct nl_addr *local =
        nl_addr_build(address->family, address->bytes, bits_of(address->family) / 8);
    int result = -NLE_NOMEM;
    if (sock != NULL && wanted != NULL && local != NULL) {
        nl_addr_set_prefixlen(local, (int)address->prefix);
        rtnl_addr_set_ifindex(wanted, link->index);
        if (address->family == AF_INET6) {
            /* Usable at once, for those who listen on it: nobody but us gives out addresses here. */
            rtnl_addr_set_flags(wanted, IFA_F_NODAD);
        }
        result = rtnl_addr_set_local(wanted, local);
        if (result >= 0) {
            result = add ? rtnl_addr_add(sock, wanted, NLM_F_CREATE | NLM_F_REPLACE)
                         : rtnl_addr_delete(sock, wanted, 0);
        }
    }
    nl_addr_put(local);
    rtnl_addr_put(wanted);
    return result;
}

int address_replace(const struct link *link, const struct address *wanted, banger_error *err)
{
    AUTO_FREE struct address *list = NULL;
    size_t count = 0;
    char text[ADDRESS_TEXT_MAX];
    bool there = false;
    if (address_list(link, wanted->family, &list, &count, err) < 0) {
        return -1;
    }
    /* The old ones first: a new one of the same network would else be their secondary, and go with
     * them. */
    for (size_t i = 0; i < count; i++) {
        if (address_equal(&list[i], wanted) && list[i].prefix == wanted->prefix) {
            there = true;
            continue;
        }
        int result = request(link, &list[i], false);
        if (result < 0 && result != -NLE_NOADDR) {
            address_format(&list[i], text);
            return netlink_error(err, result, "cannot take the address %s from '%s'", text,
                                 link->name);
        }
    }
    int result = there ? 0 : request(link, wanted, true);
    address_format(wanted, text);
    return result < 0
               ? netlink_error(err, result, "cannot give '%s' the address %s", link->name, text)
               : 0;
}
