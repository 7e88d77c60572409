/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-hosts: a key that every VM lets in, and a file of the VMs' own keys.
 *
 * 1. `prepare` makes the key pair, once; contributions only read its public half, so that a plan
 *    changes nothing. Where ssh-keygen is missing, VMs start without a key.
 * 2. The guest's agent adds the line to the authorized_keys that the image has. It knows the line of
 *    an earlier start by the comment above it.
 * 3. Clients trust a VM's key on first use, into STATE/ssh/known_hosts (`banger vm ssh`, `banger
 *    ssh-config`). When the VM is deleted its entries go, so that the next of its name or address is
 *    trusted anew.
 */
#include "known_hosts.h"

#include <banger/json.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384 /* sshd's own limit of a line, SSH_MAX_PUBKEY_BYTES */
/* BOOT_KEYS_MARKER of core/agent/boot_keys.h begins it. */
#define MARKER "# banger: the next line is written anew at every start\n"

static int no_keygen(const struct banger_host *host, struct banger_call *call)
{
    /* A VM has to start all the same; `banger doctor` is where it is an error. */
    if (host->get_string(call, "vm.id", NULL) != NULL) {
        host->log(call, BANGER_LOG_WARN,
                  "no ssh-keygen: install " KEYGEN_PACKAGE " for ssh to VMs");
        return 0;
    }
    host->hint(call, "install it: apt-get install " KEYGEN_PACKAGE);
    return host->fail(call, BANGER_EUNSUPPORTED, "there is no ssh-keygen: VMs start without a key");
}

static int known_hosts_check(const struct banger_host *host, struct banger_call *call)
{
    struct ssh_files files;
    char line[LINE_MAX_BYTES];

    if (ssh_files_of(host, call, &files) < 0) {
        return -1;
    }
    if (files.own) {
        return ssh_keygen() != NULL ? 0 : no_keygen(host, call);
    }
    if (access(files.key, F_OK) < 0 || !key_read(files.public, line, sizeof(line))) {
        host->hint(call, "correct plugins[\"known-hosts\"].key: it names a private key, with its "
                         "public half in a file .pub beside it");
        return host->fail(call, BANGER_EINVALID, "the ssh key %s cannot be used: %s", files.key,
                          errno != 0 ? strerror(errno) : "its public half is no key");
    }
    return 0;
}

static int known_hosts_prepare(const struct banger_host *host, struct banger_call *call)
{
    struct ssh_files files;

    if (ssh_files_of(host, call, &files) < 0) {
        return -1;
    }
    return files.own && ssh_keygen() != NULL ? key_ensure(host, call, &files) : 0;
}

static int known_hosts_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct ssh_files files;
    char line[LINE_MAX_BYTES];

    if (ssh_files_of(host, call, &files) < 0) {
        return -1;
    }
    if (!key_read(files.public, line, sizeof(line))) {
        return 0; /* no VM has started yet, or there is no ssh-keygen */
    }
    return banger_json_contribute(host, call, "guest.files",
                                  json_pack("{s:s, s:i, s:o}", "path", "/root/.ssh/authorized_keys",
                                            "mode", 0600, "content",
                                            json_sprintf(MARKER "%s\n", line)));
}

static int known_hosts_post_start(const struct banger_host *host, struct banger_call *call)
{
    const char *address = host->get_string(call, "runtime.bridge.address", NULL);

    return address != NULL ? pins_remember(host, call, address) : 0;
}

static int known_hosts_deleted(const struct banger_host *host, struct banger_call *call)
{
    struct ssh_files files;

    if (ssh_files_of(host, call, &files) < 0) {
        return -1;
    }
    return pins_forget(host, call, &files);
}

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "key",
     .default_value = "",
     .help = "a private key of yours that VMs let in; empty: one of banger's, made on first use"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = known_hosts_check,
    .prepare = known_hosts_prepare,
    .contributeMachineConfig = known_hosts_contribute,
    .postStart = known_hosts_post_start,
    .deleted = known_hosts_deleted,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "known-hosts",
    .version = BANGER_VERSION,
    .summary = "ssh to VMs: a key that they let in, and their own keys, which go with them",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
