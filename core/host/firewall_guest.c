/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "host/firewall_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Where the fields of an element's key begin: every set here begins with the port and the MAC. */
#define KEY_MAC IFNAMSIZ
#define KEY_ADDRESS (IFNAMSIZ + 8)

#define MAC_TEXT_MAX 18

static void mac_format(const uint8_t mac[6], char text[MAC_TEXT_MAX])
{
    (void)snprintf(text, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                   mac[3], mac[4], mac[5]);
}

/* ' . ADDRESS' of a key, as nft reads it for each of the sets. */
static void no_address(const uint8_t *bytes, char *text, size_t size)
{
    (void)bytes;
    (void)snprintf(text, size, "%s", "");
}

static void put_address(int family, const uint8_t *bytes, char *text, size_t size)
{
    char address[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(family, bytes, address, sizeof(address));
    (void)snprintf(text, size, " . %s", address);
}

static void put_ip4(const uint8_t *bytes, char *text, size_t size)
{
    put_address(AF_INET, bytes, text, size);
}

static void put_ip6(const uint8_t *bytes, char *text, size_t size)
{
    put_address(AF_INET6, bytes, text, size);
}

/* A field of the packet without a type of its own is a number to nft. */
static void put_number(const uint8_t *bytes, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, " . 0x");
    for (size_t i = 0; i < sizeof(struct in6_addr) && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%02x", bytes[i]);
    }
}

enum { NO_ADDRESS = 0 };

static const struct {
    const char *name;
    int family; /* of the address in the key */
    void (*put)(const uint8_t *bytes, char *text, size_t size);
} sets[] = {
    {"macs", NO_ADDRESS, no_address},
    {"guests", AF_INET, put_ip4},
    {"guests6", AF_INET6, put_ip6},
    {"targets6", AF_INET6, put_number},
};

static void put_command(struct buf *commands, const char *verb, const char *bridge, size_t set,
                        const uint8_t key[NFT_FIELDS_MAX], const char *comment)
{
    char table[FIREWALL_NAME_MAX];
    char mac[MAC_TEXT_MAX];
    char address[INET6_ADDRSTRLEN + 8];
    firewall_table_name(bridge, table);
    mac_format(key + KEY_MAC, mac);
    sets[set].put(key + KEY_ADDRESS, address, sizeof(address));
    buf_printf(commands, "%s element bridge %s %s { \"%.15s\" . %s%s%s%s%s }\n", verb, table,
               sets[set].name, (const char *)key, mac, address,
               comment != NULL ? " comment \"" : "", str_or(comment, ""),
               comment != NULL ? "\"" : "");
}

/* Deletes of all that has been admitted for the port. */
static int put_expulsion(struct buf *commands, const char *bridge, const char *tap,
                         banger_error *err)
{
    for (size_t set = 0; set < COUNT_OF(sets); set++) {
        AUTO_FREE struct nft_element *elements = NULL;
        size_t count = 0;
        if (firewall_read(FIREWALL_BRIDGE, bridge, sets[set].name, &elements, &count, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            if (strncmp((const char *)elements[i].key, tap, IFNAMSIZ) == 0) {
                put_command(commands, "delete", bridge, set, elements[i].key, NULL);
            }
        }
    }
    return 0;
}

static int check_guest(const char *vm_id, const struct firewall_guest *guest, banger_error *err)
{
    bool good =
        firewall_check_vm(vm_id, err) == 0 && firewall_check_bridge(guest->bridge, err) == 0 &&
        firewall_check_tap(guest->tap, err) == 0 && firewall_check_mac(guest->mac, err) == 0 &&
        firewall_check_address(AF_INET, guest->address, err) == 0;
    if (good && guest->address6 != NULL) {
        good = firewall_check_address(AF_INET6, guest->address6, err) == 0;
    }
    return good ? 0 : -1;
}

static void put_admission(struct buf *commands, const char *vm_id,
                          const struct firewall_guest *guest)
{
    char comment[SHORT_ID_LENGTH + 1];
    (void)snprintf(comment, sizeof(comment), "%s", vm_id);
    for (size_t set = 0; set < COUNT_OF(sets); set++) {
        uint8_t key[NFT_FIELDS_MAX] = {0};
        uint8_t *mac = key + KEY_MAC;
        const char *address = sets[set].family == AF_INET6 ? guest->address6 : guest->address;
        (void)snprintf((char *)key, IFNAMSIZ, "%s", guest->tap);
        (void)sscanf(guest->mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2],
                     &mac[3], &mac[4], &mac[5]);
        if (address == NULL) {
            continue;
        }
        if (sets[set].family != NO_ADDRESS) {
            (void)inet_pton(sets[set].family, address, key + KEY_ADDRESS);
        }
        put_command(commands, "add", guest->bridge, set, key, comment);
    }
}

int firewall_admit(struct host *host, const char *vm_id, const struct firewall_guest *guest,
                   banger_error *err)
{
    AUTO_BUF struct buf commands = BUF_INIT;
    if (check_guest(vm_id, guest, err) < 0 ||
        put_expulsion(&commands, guest->bridge, guest->tap, err) < 0) {
        return -1;
    }
    put_admission(&commands, vm_id, guest);
    return firewall_change(host, FIREWALL_BRIDGE, guest->bridge, commands.data, err);
}

int firewall_expel(struct host *host, const char *bridge, const char *tap, banger_error *err)
{
    AUTO_BUF struct buf commands = BUF_INIT;
    if (firewall_check_bridge(bridge, err) < 0 || firewall_check_tap(tap, err) < 0 ||
        put_expulsion(&commands, bridge, tap, err) < 0) {
        return -1;
    }
    return commands.length == 0
               ? 0
               : firewall_retract(host, FIREWALL_BRIDGE, bridge, commands.data, err);
}
