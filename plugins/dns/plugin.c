/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dns: NAME.vm, for this host and for the guests of the network `bridge`.
 *
 * 1. prepare and reconciled: add the VM's names, those that other capabilities have stored too; listen on `listen` for this host, and on the VM's
 *    gateway for guests; tell systemd-resolved where it runs. A gateway that cannot be listened at
 *    fails the start: its guests would have no resolver. Where the site says on_error = "warn", this
 *    host still has the names. Its listener is a convenience: without it there is a warning.
 * 2. cleanup and deleted: the names go. Both may come without a prepare.
 * 3. stop: the ports are closed, systemd-resolved is told that it was that.
 *
 * Nothing here is in the journal: names and sockets end with the process, and what systemd-resolved
 * knows of a link ends with the link.
 */
#include "holder.h"
#include "resolved.h"
#include "service.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROBE_MS 500 /* in doctor: is there a systemd-resolved? */

/* False: the VM has another network, and this is nothing to us. */
static bool read_guest(const struct banger_host *host, struct banger_call *call,
                       struct guest *guest)
{
    *guest = (struct guest){.id = host->get_string(call, "vm.id", ""),
                            .name = host->get_string(call, "vm.name", ""),
                            .link = host->get_string(call, "runtime.bridge.link", "")};
    return address_parse(host->get_string(call, "runtime.bridge.address", NULL), &guest->v4) &&
           address_parse(host->get_string(call, "runtime.bridge.address6", NULL), &guest->v6) &&
           address_parse(host->get_string(call, "runtime.bridge.gateway", NULL),
                         &guest->gateway4) &&
           address_parse(host->get_string(call, "runtime.bridge.gateway6", NULL),
                         &guest->gateway6) &&
           guest->gateway4.family == AF_INET && guest->v4.family == AF_INET;
}

/* Why there is no listening at `endpoint`, with what to do about it. */
static void explain(const struct endpoint *endpoint, int reason, char *text, size_t size)
{
    char where[ENDPOINT_TEXT_SIZE];
    char holder[HOLDER_TEXT_SIZE];

    endpoint_format(endpoint, where);
    if (reason == EADDRINUSE) {
        holder_find(endpoint, holder);
        (void)snprintf(text, size, "cannot listen on %s: the port is taken by %s", where, holder);
    } else {
        (void)snprintf(text, size, "cannot listen on %s: %s", where, strerror(reason));
    }
}

static int fail_listen(const struct banger_host *host, struct banger_call *call,
                       const struct endpoint *endpoint, int reason)
{
    char text[256];

    explain(endpoint, reason, text, sizeof(text));
    if (reason == EADDRINUSE) {
        host->hint(call, "have it listen on addresses of its own (dnsmasq: bind-dynamic and "
                         "except-interface), choose another port, or set on_error = \"warn\" for "
                         "the plugin dns");
    } else if (reason == EACCES) {
        host->hint(call, "ports below 1024 need root, or CAP_NET_BIND_SERVICE");
    }
    return host->fail(call,
                      reason == EADDRINUSE ? BANGER_EBUSY
                      : reason == EACCES   ? BANGER_EPERMISSION
                                           : BANGER_EIO,
                      "%s", text);
}

static void open_local(const struct banger_host *host, struct banger_call *call,
                       const struct settings *settings)
{
    int result = service_open_local(settings);
    char text[256];

    if (result < 0) {
        explain(&settings->listen, -result, text, sizeof(text));
        host->log(call, BANGER_LOG_WARN, "%s; names of VMs are not served to this host", text);
    }
}

static bool is_label(const char *text)
{
    size_t length = strlen(text);

    return length >= 1 && length <= 63 && text[0] != '-' && text[length - 1] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* More names of the VM: what any capability has stored as `dns_names` for this run. One that cannot be had
 * is another VM's, whose start must not be in the way of this one's. */
static void add_aliases(const struct banger_host *host, struct banger_call *call, const char *id)
{
    json_auto_t *runtime = banger_json_get(host, call, "runtime");
    const char *who;
    json_t *stored;
    size_t i;
    json_t *alias;

    json_object_foreach (runtime, who, stored) {
        json_array_foreach (json_object_get(stored, "dns_names"), i, alias) {
            const char *text = json_string_value(alias);

            if (text == NULL || !is_label(text)) {
                host->log(call, BANGER_LOG_WARN, "%s's dns_names: '%s' is no name", who,
                          text != NULL ? text : "");
            } else if (!service_add_alias(id, text)) {
                host->log(call, BANGER_LOG_WARN, "the name '%s', of %s, is another VM's", text,
                          who);
            }
        }
    }
}

static int dns_prepare(const struct banger_host *host, struct banger_call *call)
{
    struct settings settings;
    struct endpoint failed;
    struct guest guest;
    char reason[160];
    int result;

    if (!read_guest(host, call, &guest)) {
        return 0;
    }
    if (settings_read(host, call, &settings) < 0) {
        return -1;
    }
    if (service_add(&settings, &guest) < 0) {
        return host->fail(call, BANGER_EINTERNAL, "cannot add %s.%s", guest.name, settings.zone);
    }
    add_aliases(host, call, guest.id);
    open_local(host, call, &settings);
    result = service_open_gateways(&settings, &guest, &failed);
    if (result < 0) {
        return fail_listen(host, call, &failed, -result);
    }
    if (!service_tell(&settings, &guest, reason, sizeof(reason))) {
        host->log(call, BANGER_LOG_WARN, "systemd-resolved does not take the link %s: %s",
                  guest.link, reason);
    }
    return 0;
}

static int dns_cleanup(const struct banger_host *host, struct banger_call *call)
{
    service_remove(host->get_string(call, "vm.id", ""));
    return 0;
}

/* -- doctor ------------------------------------------------------------------------------------------ */

/* 0, or the errno of listening there, which nobody in this process does. */
static int try_listen(const struct endpoint *endpoint)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int fd = socket(endpoint->any.sa_family, types[i] | SOCK_CLOEXEC, 0);
        int on = 1;
        int reason = 0;

        if (fd < 0) {
            return errno;
        }
        if (types[i] == SOCK_STREAM) {
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        }
        if (bind(fd, &endpoint->any, endpoint->length) < 0) {
            reason = errno;
        }
        (void)close(fd);
        if (reason != 0) {
            return reason;
        }
    }
    return 0;
}

/* What the host's resolver has to do with it. */
static void describe_resolver(const struct settings *settings, const struct service_status *status,
                              const char *where, char *text, size_t size)
{
    char reason[160];
    enum resolved_result result = resolved_probe(PROBE_MS, reason, sizeof(reason));
    const char *port = strrchr(where, ':');

    if (result == RESOLVED_FAILED) {
        (void)snprintf(text, size, "systemd-resolved does not answer (%s)", reason);
    } else if (result == RESOLVED_DONE) {
        (void)snprintf(text, size, "systemd-resolved %s .%s here",
                       status->told_links > 0 ? "routes" : "will route", settings->zone);
    } else if (!settings->local || port == NULL) {
        (void)snprintf(text, size, "this host does not ask it");
    } else {
        (void)snprintf(text, size,
                       "no systemd-resolved: tell your resolver, as in dnsmasq's "
                       "server=/%s/%.*s#%s (share/doc/dns.md)",
                       settings->zone, (int)(port - where), where, port + 1);
    }
}

static void say_status(const struct banger_host *host, struct banger_call *call,
                       const struct settings *settings, const struct service_status *status)
{
    char where[ENDPOINT_TEXT_SIZE] = "the bridge's address";
    char resolver[512];
    char names[32] = "";
    char text[1024];

    if (settings->local) {
        endpoint_format(&settings->listen, where);
    }
    describe_resolver(settings, status, where, resolver, sizeof(resolver));
    if (status->serving) {
        (void)snprintf(names, sizeof(names), ", %zu name%s", status->names,
                       status->names == 1 ? "" : "s");
    }
    (void)snprintf(text, sizeof(text), "%s %s on %s%s; %s",
                   status->serving ? "serving" : "ready to serve", settings->zone, where, names,
                   resolver);
    host->progress(call, text);
}

/* For a VM: is the configuration good? In doctor: is the port ours, or to be had? */
static int dns_check(const struct banger_host *host, struct banger_call *call)
{
    struct settings settings;
    struct service_status status;
    int reason = 0;

    if (settings_read(host, call, &settings) < 0) {
        return -1;
    }
    if (*host->get_string(call, "vm.id", "") != '\0') {
        return 0;
    }
    service_status(&settings, &status);
    if (settings.local && !status.local) {
        reason = try_listen(&settings.listen);
    }
    if (reason != 0) {
        return fail_listen(host, call, &settings.listen, reason);
    }
    say_status(host, call, &settings, &status);
    return 0;
}

static int dns_stop(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    service_close();
    return 0;
}

/* -- The descriptor ------------------------------------------------------------------------------------
 */

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "zone",
     .default_value = "vm",
     .help = "the domain below which VMs have their names"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "listen",
     .default_value = "127.0.0.1:42069",
     .help = "where this host's resolver may ask; empty: nowhere"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_LIST,
     .name = "forwarders",
     .default_value = "[]",
     .help = "resolvers for the guests' other queries; none: those of /etc/resolv.conf"},
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_DURATION,
     .name = "ttl",
     .default_value = "5s",
     .help = "how long an answer may be kept; addresses are used again",
     .minimum = 0,
     .maximum = 24 * 3600 * 1000},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = dns_check,
    .prepare = dns_prepare,
    .cleanup = dns_cleanup,
    .deleted = dns_cleanup,
    .reconciled = dns_prepare,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "dns",
    .version = BANGER_VERSION,
    .summary = "NAME.vm for this host and for guests on the bridge",
    .license = "LGPL-2.1-or-later",
    .after = (const char *const[]){"bridge?", NULL}, /* reconciled: it makes what this lies in */
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
    .stop = dns_stop,
};

BANGER_PLUGIN(&plugin)
