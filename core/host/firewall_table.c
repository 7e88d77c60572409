/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/firewall_table.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/nft.h"
#include "host/nft_tables.h"
#include "host/tap.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const struct {
    const char *name;
    uint8_t number;
} families[] = {
    [FIREWALL_BRIDGE] = {"bridge", NFPROTO_BRIDGE},
    [FIREWALL_INET] = {"inet", NFPROTO_INET},
};

const char *firewall_family_name(enum firewall_family family)
{
    return families[family].name;
}

void firewall_table_name(const char *bridge, char name[FIREWALL_NAME_MAX])
{
    (void)snprintf(name, FIREWALL_NAME_MAX, "banger-%s", bridge);
}

void firewall_owner_name(const struct host *host, char name[FIREWALL_NAME_MAX])
{
    (void)snprintf(name, FIREWALL_NAME_MAX, "owner-%s", host->instance);
}

/* -- Whose is it? --------------------------------------------------------------------------------- */

static bool is_own_name(const char *name, const char *own)
{
    return strcmp(name, own) == 0;
}

static bool is_another_bangers(const char *name, const char *own)
{
    return str_starts(name, "banger-") && strcmp(name, own) != 0;
}

static int read_mark(const struct host *host, enum firewall_family family, const char *bridge,
                     banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    char owner[FIREWALL_NAME_MAX];
    AUTO_FREE struct nft_element *elements = NULL;
    size_t count = 0;
    firewall_table_name(bridge, table);
    firewall_owner_name(host, owner);
    return nft_set_read(families[family].number, table, owner, &elements, &count, err);
}

bool firewall_is_ours(const struct host *host, enum firewall_family family, const char *bridge)
{
    return read_mark(host, family, bridge, NULL) == 0;
}

/* The mark first: it is nearly always there. */
int firewall_state(struct host *host, enum firewall_family family, const char *bridge,
                   enum firewall_state *state, banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    banger_error why = BANGER_ERROR_INIT;
    firewall_table_name(bridge, table);
    if (read_mark(host, family, bridge, &why) == 0) {
        *state = FIREWALL_OURS;
        return 0;
    }
    char found[NFT_TABLE_NAME_MAX];
    if (nft_tables_find(families[family].number, is_own_name, table, found, err) < 0) {
        return -1;
    }
    if (found[0] == '\0') {
        *state = FIREWALL_ABSENT;
        return 0;
    }
    if (why.code != BANGER_ENOTFOUND) {
        error_join(err, &why);
        return -1;
    }
    *state = FIREWALL_FOREIGN;
    return 0;
}

int firewall_check_alone(const char *bridge, banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    char found[NFT_TABLE_NAME_MAX];
    firewall_table_name(bridge, table);
    if (nft_tables_find(NFPROTO_BRIDGE, is_another_bangers, table, found, err) < 0) {
        return -1;
    }
    if (found[0] == '\0') {
        return 0;
    }
    (void)error_set(err, BANGER_EBUSY,
                    "this kernel cannot tell the frames of two bridges apart "
                    "(nft_meta_bridge), and the nft table 'bridge %s' is of another banger's",
                    found);
    return error_hint(err, "have that one let go: banger network remove");
}

int firewall_refuse(enum firewall_family family, const char *bridge, enum firewall_state state,
                    banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    firewall_table_name(bridge, table);
    if (state == FIREWALL_ABSENT) {
        return error_set(err, BANGER_ENOTFOUND, "the bridge %s has no nft table '%s %s'", bridge,
                         families[family].name, table);
    }
    (void)error_set(err, BANGER_EBUSY, "the nft table '%s %s' is not this banger's",
                    families[family].name, table);
    return error_hint(err, "look with `nft list table %s %s`; if nobody needs it, delete it",
                      families[family].name, table);
}

/* -- Changes -------------------------------------------------------------------------------------- */

int firewall_change(struct host *host, enum firewall_family family, const char *bridge,
                    const char *commands, banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    char owner[FIREWALL_NAME_MAX];
    firewall_table_name(bridge, table);
    firewall_owner_name(host, owner);
    /* The owner set is always empty: to flush it does nothing where it is there, and fails where it
     * is not. */
    AUTO_FREE char *text =
        str_format("flush set %s %s %s\n%s", families[family].name, table, owner, commands);
    banger_error why = BANGER_ERROR_INIT;
    if (nft_run(host, text, &why) == 0) {
        return 0;
    }
    enum firewall_state state = FIREWALL_OURS;
    if (why.code == BANGER_ENOTFOUND && firewall_state(host, family, bridge, &state, NULL) == 0 &&
        state != FIREWALL_OURS) {
        return firewall_refuse(family, bridge, state, err);
    }
    error_join(err, &why);
    return -1;
}

int firewall_retract(struct host *host, enum firewall_family family, const char *bridge,
                     const char *commands, banger_error *err)
{
    banger_error why = BANGER_ERROR_INIT;
    if (firewall_change(host, family, bridge, commands, &why) == 0 ||
        why.code == BANGER_ENOTFOUND) {
        return 0;
    }
    enum firewall_state state = FIREWALL_OURS;
    if (why.code == BANGER_EBUSY && firewall_state(host, family, bridge, &state, NULL) == 0 &&
        state == FIREWALL_FOREIGN) {
        return 0;
    }
    error_join(err, &why);
    return -1;
}

int firewall_read(enum firewall_family family, const char *bridge, const char *set,
                  struct nft_element **list, size_t *count, banger_error *err)
{
    char table[FIREWALL_NAME_MAX];
    firewall_table_name(bridge, table);
    banger_error why = BANGER_ERROR_INIT;
    if (nft_set_read(families[family].number, table, set, list, count, &why) == 0) {
        return 0;
    }
    *list = NULL;
    *count = 0;
    if (why.code == BANGER_ENOTFOUND) {
        return 0;
    }
    error_join(err, &why);
    return -1;
}

/* -- Checks --------------------------------------------------------------------------------------- */

static bool is_word(const char *text, size_t most, const char *alphabet)
{
    size_t length = strlen(text);
    return length >= 1 && length <= most && strspn(text, alphabet) == length;
}

int firewall_check_bridge(const char *bridge, banger_error *err)
{
    if (is_word(bridge, IFNAMSIZ - 1, LOWER UPPER DIGITS "-_.") &&
        strspn(bridge, LOWER UPPER) > 0) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "'%.32s' is not a bridge's name", bridge);
}

int firewall_check_tap(const char *tap, banger_error *err)
{
    if (str_starts(tap, TAP_PREFIX) &&
        is_word(tap + strlen(TAP_PREFIX), SHORT_ID_LENGTH, LOWER DIGITS)) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "'%.32s' is not a TAP device's name", tap);
}

int firewall_check_mac(const char *mac, banger_error *err)
{
    bool good = strlen(mac) == strlen("02:fc:ac:10:00:02");
    for (size_t i = 0; good && mac[i] != '\0'; i++) {
        good = i % 3 == 2 ? mac[i] == ':' : strchr(DIGITS "abcdef", mac[i]) != NULL;
    }
    return good ? 0 : error_set(err, BANGER_EINVALID, "'%.32s' is not a MAC address", mac);
}

/* As inet_ntop writes it, so that equal addresses are equal texts. */
int firewall_check_address(int family, const char *address, banger_error *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char again[INET6_ADDRSTRLEN] = "";
    if (inet_pton(family, address, bytes) == 1 &&
        inet_ntop(family, bytes, again, sizeof(again)) != NULL && strcmp(address, again) == 0) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "'%.64s' is not an IP%s address", address,
                     family == AF_INET ? "v4" : "v6");
}

int firewall_check_vm(const char *vm_id, banger_error *err)
{
    if (strlen(vm_id) >= SHORT_ID_LENGTH && id_is_prefix(vm_id)) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "'%.64s' is not a VM's id", vm_id);
}
