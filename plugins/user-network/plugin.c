/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * user: a network without privilege. The VMM itself plays the network (QEMU's slirp): every VM has
 * the same addresses behind its own translation, so that nothing on the host is acquired and
 * nothing has to be given back.
 */
#include "forward.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <ctype.h>
#include <string.h>

/* slirp's defaults; the VMM is told them again, so that both sides of the wire agree. */
#define GUEST_ADDRESS "10.0.2.15/24"
#define GATEWAY "10.0.2.2"
#define RESOLVER "10.0.2.3"

#define MAC_TEXT_SIZE sizeof("02:00:00:00:00:00")

/* 02 marks a locally administered unicast address (IEEE 802, 8.2.2); the other 40 bits are the
 * first of the VM's random id. */
static int mac_of_vm(const struct banger_host *host, struct banger_call *call,
                     char mac[MAC_TEXT_SIZE])
{
    const char *id = host->get_string(call, "vm.id", "");
    char *at = stpcpy(mac, "02");

    for (size_t i = 0; i < 10; i++) {
        if (!isxdigit((unsigned char)id[i])) {
            return host->fail(call, BANGER_EINTERNAL, "the VM's id '%.32s' is not hexadecimal", id);
        }
        if (i % 2 == 0) {
            *at++ = ':';
        }
        *at++ = (char)tolower((unsigned char)id[i]);
    }
    *at = '\0';
    return 0;
}

static int user_check(const struct banger_host *host, struct banger_call *call)
{
    struct forward_list forwards;

    if (forward_read_all(host, call, &forwards) < 0) {
        return -1;
    }
    for (size_t i = 0; i < forwards.count; i++) {
        if (forward_check_free(host, call, &forwards.items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int contribute_resolver(const struct banger_host *host, struct banger_call *call)
{
    return banger_json_contribute(host, call, "guest.files",
                                  json_pack("[{s:s, s:i, s:i, s:i, s:s}]", "path",
                                            "/etc/resolv.conf", "mode", 0644, "uid", 0, "gid", 0,
                                            "content", "nameserver " RESOLVER "\n"));
}

/* This network is made of NAT, so a VM that says nothing about it has it; with nat = false the guest
 * is shut in: only published ports reach it, and it reaches nothing. */
static json_t *nic_of_vm(const struct banger_host *host, struct banger_call *call, const char *mac,
                         const struct forward_list *forwards)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", "eth0", "backend", "user", "mac", mac,
                     "restrict", !host->get_bool(call, "vm.nat", 1), "forward",
                     forward_to_json(forwards));
}

static int user_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct forward_list forwards;
    char mac[MAC_TEXT_SIZE];
    json_t *interface;

    if (forward_read_all(host, call, &forwards) < 0 || mac_of_vm(host, call, mac) < 0) {
        return -1;
    }
    interface = json_sprintf("%s %s %s", mac, GUEST_ADDRESS, GATEWAY);
    if (banger_json_contribute(host, call, "nics",
                               json_pack("[o]", nic_of_vm(host, call, mac, &forwards))) < 0 ||
        banger_json_contribute(host, call, "guest.conf",
                               json_pack("{s:[o]}", "interface", interface)) < 0) {
        return -1;
    }
    return contribute_resolver(host, call);
}

static const char *const needs[] = {"nic:user", NULL};

static const struct banger_network network = {
    .size = sizeof(network),
    .rank = 0,
    .needs = needs,
    .check = user_check,
    .contribute = user_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "user",
    .version = BANGER_VERSION,
    .summary = "network without privilege: outbound through the VMM, ports published on request",
    .license = "LGPL-2.1-or-later",
    .network = &network,
};

BANGER_PLUGIN(&plugin)
