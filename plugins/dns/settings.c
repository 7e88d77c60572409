/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include <banger/json.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"

/* One label of a host's name (RFC 1123, 2.1). */
static bool is_label(const char *text, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    return length >= 1 && length <= 63 && text[0] != '-' && text[length - 1] != '-' &&
           strspn(text, letters) >= length;
}

static bool is_domain(const char *text)
{
    for (;;) {
        size_t length = strcspn(text, ".");

        if (!is_label(text, length)) {
            return false;
        }
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

/* Names that others answer for, and must (RFC 6761, RFC 6762; arpa: RFC 3172). */
static bool is_taken(const char *zone)
{
    static const char *const taken[] = {"localhost", "local", "arpa", "invalid"};
    const char *last = strrchr(zone, '.');

    last = last == NULL ? zone : last + 1;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(last, taken[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool make_apex(struct settings *settings)
{
    ldns_rdf *name = ldns_dname_new_frm_str(settings->zone);
    bool good = name != NULL && ldns_rdf_size(name) <= ZONE_APEX_MAX;

    if (good) {
        settings->apex_length = ldns_rdf_size(name);
        memcpy(settings->apex, ldns_rdf_data(name), settings->apex_length);
    }
    ldns_rdf_deep_free(name);
    return good;
}

static int read_zone(const struct banger_host *host, struct banger_call *call,
                     struct settings *settings)
{
    const char *text = host->get_string(call, "config.zone", "vm");
    size_t length = strlen(text);

    length -= length > 1 && text[length - 1] == '.' ? 1 : 0;
    if (length >= sizeof(settings->zone)) {
        length = 0;
    }
    for (size_t i = 0; i < length; i++) {
        settings->zone[i] = (char)message_lower((uint8_t)text[i]);
    }
    settings->zone[length] = '\0';
    if (!is_domain(settings->zone) || !make_apex(settings)) {
        host->hint(call, "set plugins.dns.zone in config.lua, as in zone = \"vm\"");
        return host->fail(call, BANGER_EINVALID,
                          "invalid zone '%.80s': it must be a domain name of letters, digits and "
                          "'-', of at most %d bytes",
                          text, ZONE_APEX_MAX - 2);
    }
    if (is_taken(settings->zone)) {
        return host->fail(call, BANGER_EINVALID,
                          "invalid zone '%.80s': that domain has a meaning of its own; \"vm\" or "
                          "\"vm.internal\" has none",
                          text);
    }
    return 0;
}

static int read_listen(const struct banger_host *host, struct banger_call *call,
                       struct settings *settings)
{
    const char *text = host->get_string(call, "config.listen", "");

    settings->local = *text != '\0';
    if (settings->local && !endpoint_parse(text, 0, &settings->listen)) {
        return host->fail(call, BANGER_EINVALID,
                          "invalid listen '%.80s': it must be IP:PORT or [IPV6]:PORT, as in "
                          "127.0.0.1:42069, or \"\" for none",
                          text);
    }
    if (settings->local && endpoint_is_wildcard(&settings->listen)) {
        return host->fail(call, BANGER_EINVALID,
                          "invalid listen '%.80s': it must be one address; all of them would be "
                          "the guests' too",
                          text);
    }
    return 0;
}

static int read_forwarders(const struct banger_host *host, struct banger_call *call,
                           struct server_options *options)
{
    json_auto_t *list = banger_json_get(host, call, "config.forwarders");
    size_t i;
    json_t *item;

    if (json_array_size(list) > SERVER_UPSTREAMS_MAX) {
        return host->fail(call, BANGER_EINVALID, "%zu forwarders are given; at most %d can be",
                          json_array_size(list), SERVER_UPSTREAMS_MAX);
    }
    json_array_foreach (list, i, item) {
        const char *text = json_is_string(item) ? json_string_value(item) : "";
        struct endpoint *upstream = &options->upstreams[options->upstream_count++];

        if (!endpoint_parse(text, DNS_PORT, upstream) || endpoint_is_wildcard(upstream)) {
            return host->fail(call, BANGER_EINVALID,
                              "invalid forwarder '%.80s': it must be IP or IP:PORT, as in 9.9.9.9",
                              text);
        }
    }
    return 0;
}

int settings_read(const struct banger_host *host, struct banger_call *call,
                  struct settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    settings->server.resolv_conf = RESOLV_CONF;
    settings->ttl = (uint32_t)((host->get_int(call, "config.ttl", 5000) + 999) / 1000);
    if (read_zone(host, call, settings) < 0 || read_listen(host, call, settings) < 0) {
        return -1;
    }
    return read_forwarders(host, call, &settings->server);
}
