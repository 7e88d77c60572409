/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. Open the bus and say hello, under one deadline: a bus that accepts and is silent ends there.
 * 2. SetLinkDefaultRoute(false) and SetLinkDomains come before the servers do, so that at no moment
 *    the host's other queries are sent to us.
 * 3. What fails half-way is reverted. The link's end reverts it too.
 */
#include "resolved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define SERVICE "org.freedesktop.resolve1"
#define OBJECT "/org/freedesktop/resolve1"
#define INTERFACE "org.freedesktop.resolve1.Manager"

struct session {
    sd_bus *bus;
    uint64_t until_us; /* monotonic */
    char *reason;
    size_t size;
};

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* At least 1: 0 means sd-bus's default of 25 seconds. */
static uint64_t left_us(const struct session *session)
{
    uint64_t now = now_us();

    return now < session->until_us ? session->until_us - now : 1;
}

static enum resolved_result failed(const struct session *session, const char *what, int result,
                                   const sd_bus_error *error)
{
    (void)snprintf(session->reason, session->size, "%s: %s", what,
                   error != NULL && error->message != NULL ? error->message : strerror(-result));
    return RESOLVED_FAILED;
}

/* sd-bus itself waits for the greeting without a bound. */
static int wait_ready(const struct session *session)
{
    while (sd_bus_is_ready(session->bus) == 0) {
        int result = sd_bus_process(session->bus, NULL);

        if (result < 0) {
            return result;
        }
        if (now_us() >= session->until_us) {
            return -ETIMEDOUT;
        }
        if (result == 0 && sd_bus_wait(session->bus, left_us(session)) < 0) {
            return -EIO;
        }
    }
    return 0;
}

static enum resolved_result session_open(struct session *session, int64_t timeout_ms, char *reason,
                                         size_t size)
{
    int result;

    *session = (struct session){
        .until_us = now_us() + (uint64_t)timeout_ms * 1000, .reason = reason, .size = size};
    reason[0] = '\0';
    result = sd_bus_open_system(&session->bus);
    if (result == 0 || result > 0) {
        result = wait_ready(session);
    }
    if (result == -ENOENT || result == -ECONNREFUSED) {
        return RESOLVED_ABSENT;
    }
    return result < 0 ? failed(session, "the system bus", result, NULL) : RESOLVED_DONE;
}

/* Without waiting for what is still to be sent: all was answered, or the time is up. */
static void session_close(struct session *session)
{
    sd_bus_close(session->bus);
    (void)sd_bus_unref(session->bus);
}

/* Sends `message` (may be NULL: no memory) and takes its reference. */
static enum resolved_result call(struct session *session, const char *method,
                                 sd_bus_message *message, int built)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    enum resolved_result outcome = RESOLVED_DONE;
    int result = built;

    if (result >= 0) {
        result = sd_bus_message_set_auto_start(message, 0);
    }
    if (result >= 0) {
        result = sd_bus_call(session->bus, message, left_us(session), &error, NULL);
    }
    if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
        sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
        outcome = RESOLVED_ABSENT;
    } else if (result < 0) {
        outcome = failed(session, method, result, &error);
    }
    sd_bus_error_free(&error);
    (void)sd_bus_message_unref(message);
    return outcome;
}

static int new_call(struct session *session, const char *method, sd_bus_message **message)
{
    *message = NULL;
    return sd_bus_message_new_method_call(session->bus, message, SERVICE, OBJECT, INTERFACE,
                                          method);
}

static enum resolved_result set_default_route(struct session *session, int index)
{
    sd_bus_message *message;
    int result = new_call(session, "SetLinkDefaultRoute", &message);

    if (result >= 0) {
        result = sd_bus_message_append(message, "ib", index, 0);
    }
    return call(session, "SetLinkDefaultRoute", message, result);
}

/* The flag says that the domain routes queries and is no search suffix. */
static enum resolved_result set_domains(struct session *session, int index, const char *domain)
{
    sd_bus_message *message;
    int result = new_call(session, "SetLinkDomains", &message);

    if (result >= 0) {
        result = sd_bus_message_append(message, "ia(sb)", index, 1, domain, 1);
    }
    return call(session, "SetLinkDomains", message, result);
}

static int append_server(sd_bus_message *message, const struct address *server)
{
    int result = sd_bus_message_open_container(message, 'r', "iayqs");

    if (result >= 0) {
        result = sd_bus_message_append(message, "i", server->family);
    }
    if (result >= 0) {
        result =
            sd_bus_message_append_array(message, 'y', server->bytes, address_size(server->family));
    }
    if (result >= 0) {
        result = sd_bus_message_append(message, "qs", (uint16_t)DNS_PORT, "");
    }
    return result < 0 ? result : sd_bus_message_close_container(message);
}

static enum resolved_result set_servers(struct session *session, const struct resolved_link *link)
{
    sd_bus_message *message;
    int result = new_call(session, "SetLinkDNSEx", &message);

    if (result >= 0) {
        result = sd_bus_message_append(message, "i", link->index);
    }
    if (result >= 0) {
        result = sd_bus_message_open_container(message, 'a', "(iayqs)");
    }
    for (size_t i = 0; result >= 0 && i < 2; i++) {
        if (link->servers[i].family != AF_UNSPEC) {
            result = append_server(message, &link->servers[i]);
        }
    }
    if (result >= 0) {
        result = sd_bus_message_close_container(message);
    }
    return call(session, "SetLinkDNSEx", message, result);
}

static enum resolved_result revert(struct session *session, int index)
{
    sd_bus_message *message;
    int result = new_call(session, "RevertLink", &message);

    if (result >= 0) {
        result = sd_bus_message_append(message, "i", index);
    }
    return call(session, "RevertLink", message, result);
}

enum resolved_result resolved_set_link(const struct resolved_link *link, int64_t timeout_ms,
                                       char *reason, size_t size)
{
    struct session session;
    enum resolved_result result = session_open(&session, timeout_ms, reason, size);

    if (result == RESOLVED_DONE) {
        result = set_default_route(&session, link->index);
    }
    if (result == RESOLVED_DONE) {
        result = set_domains(&session, link->index, link->domain);
        result = result == RESOLVED_DONE ? set_servers(&session, link) : result;
        if (result != RESOLVED_DONE) {
            char ignored[128];

            session.reason = ignored; /* the first reason is the one to tell */
            session.size = sizeof(ignored);
            (void)revert(&session, link->index);
        }
    }
    session_close(&session);
    return result;
}

enum resolved_result resolved_revert_link(int index, int64_t timeout_ms, char *reason, size_t size)
{
    struct session session;
    enum resolved_result result = session_open(&session, timeout_ms, reason, size);

    if (result == RESOLVED_DONE) {
        result = revert(&session, index);
    }
    session_close(&session);
    return result;
}

/* Peer.Ping is answered by whoever has the name. */
enum resolved_result resolved_probe(int64_t timeout_ms, char *reason, size_t size)
{
    struct session session;
    sd_bus_message *message = NULL;
    enum resolved_result result = session_open(&session, timeout_ms, reason, size);

    if (result == RESOLVED_DONE) {
        int built = sd_bus_message_new_method_call(session.bus, &message, SERVICE, OBJECT,
                                                   "org.freedesktop.DBus.Peer", "Ping");

        result = call(&session, "Ping", message, built);
    }
    session_close(&session);
    return result;
}
