/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostname: the guest is called what the VM is called. */
#include <banger/json.h>
#include <banger/plugin.h>

/* 127.0.1.1 rather than the address of a NIC: the name resolves with any network or none, as
 * Debian's installer does it. */
#define HOSTS                                                                                      \
    "127.0.0.1\tlocalhost\n"                                                                       \
    "127.0.1.1\t%s\n"                                                                              \
    "::1\t\tlocalhost ip6-localhost ip6-loopback\n"                                                \
    "ff02::1\t\tip6-allnodes\n"                                                                    \
    "ff02::2\t\tip6-allrouters\n"

/* One world-readable file of root's. Steals `content`. */
static int contribute_file(const struct banger_host *host, struct banger_call *call,
                           const char *path, json_t *content)
{
    return banger_json_contribute(host, call, "guest.files",
                                  json_pack("[{s:s, s:i, s:i, s:i, s:o}]", "path", path, "mode",
                                            0644, "uid", 0, "gid", 0, "content", content));
}

static int hostname_contribute(const struct banger_host *host, struct banger_call *call)
{
    const char *name = host->get_string(call, "vm.name", NULL);

    if (name == NULL || *name == '\0') {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no name");
    }
    if (banger_json_contribute(host, call, "guest.conf", json_pack("{s:s}", "hostname", name)) <
            0 ||
        contribute_file(host, call, "/etc/hostname", json_sprintf("%s\n", name)) < 0) {
        return -1;
    }
    return contribute_file(host, call, "/etc/hosts", json_sprintf(HOSTS, name));
}

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .contributeMachineConfig = hostname_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "hostname",
    .version = BANGER_VERSION,
    .summary = "names the guest after its VM: hostname, /etc/hostname, /etc/hosts",
    .license = "LGPL-2.1-or-later",
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
