/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/direct_boot.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "image/guest_disk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define WRITE_TIMEOUT_MS (INT64_C(10) * 60 * 1000) /* e2fsck of a large disk */

json_t *direct_boot_args(void)
{
    return json_pack("[s, s, s]", "root=/dev/vda", "rw", "init=" GUEST_CONF_AGENT);
}

/* "MAC ADDRESS/PREFIX GATEWAY" (agent/guest_conf.h) as the kernel wants it:
 * ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF (Documentation/admin-guide/nfs/nfsroot.rst). */
static char *kernel_ip(const char *interface, const char *hostname)
{
    char address[INET_ADDRSTRLEN];
    char gateway[INET_ADDRSTRLEN];
    char netmask[INET_ADDRSTRLEN];
    struct in_addr parsed;
    unsigned prefix = 0;
    if (sscanf(interface, "%*s %15[0-9.]/%2u %15s", address, &prefix, gateway) != 3 ||
        prefix > 32 || inet_pton(AF_INET, address, &parsed) != 1) {
        return NULL; /* IPv6 has no such argument */
    }
    parsed.s_addr = prefix == 0 ? 0 : htonl(UINT32_MAX << (32 - prefix));
    (void)inet_ntop(AF_INET, &parsed, netmask, sizeof(netmask));
    return str_format("ip=%s::%s:%s:%s:eth0:off", address, strcmp(gateway, "-") == 0 ? "" : gateway,
                      netmask, hostname);
}

char *direct_boot_ip(const json_t *document)
{
    const char *hostname = json_string_value(json_at(document, "guest.conf.hostname"));
    size_t index = 0;
    json_t *interface = NULL;
    json_array_foreach (json_at(document, "guest.conf.interface"), index, interface) {
        char *text = kernel_ip(str_or(json_string_value(interface), ""), str_or(hostname, ""));
        if (text != NULL) {
            return text;
        }
    }
    return NULL;
}

static const char *root_drive(const json_t *document)
{
    size_t index = 0;
    json_t *drive = NULL;
    json_array_foreach (json_object_get(document, "drives"), index, drive) {
        if (json_get_bool(drive, "root", false)) {
            return json_get_string(drive, "path", NULL);
        }
    }
    return NULL;
}

static char *log_path(const struct operation *op)
{
    return str_format("%s/guest-config.redo", op->vm_dir);
}

int direct_boot_finish(const struct operation *op, banger_error *err)
{
    AUTO_FREE char *log = log_path(op);
    return guest_disk_finish(log, err);
}

int direct_boot_write(struct operation *op, const json_t *document, const json_t *guest,
                      banger_error *err)
{
    const char *disk = root_drive(document);
    if (disk == NULL) {
        return error_set(err, BANGER_EINTERNAL, "the machine has no root drive");
    }
    AUTO_FREE char *agent = str_format("%s/banger-agent", op->engine->layout->libexec_dir);
    AUTO_FREE char *log = log_path(op);
    return guest_disk_write(disk, log, agent, guest, deadline_in(WRITE_TIMEOUT_MS), err);
}
