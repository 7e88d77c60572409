/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. A query that is none, or malformed, or of another kind, ends here: dropped, FORMERR, NOTIMP.
 * 2. So does one that we understand and refuse: BADVERS, another class, transfers.
 * 3. The zone says where the name lies. Outside: guests are forwarded, the host is refused.
 * 4. What there is at the name is put together with ldns: records of the type; or none, and then the
 *    SOA says for how long (RFC 2308), with NXDOMAIN where there is no such name.
 */
#include "answer.h"

#include <ldns/ldns.h>
#include <string.h>

/* The SOA's times, in seconds: nobody transfers this zone, so any will do (RFC 1912, 2.2). */
#define SOA_REFRESH 3600
#define SOA_RETRY 600
#define SOA_EXPIRE 86400
#define SOA_MAILBOX "\012hostmaster"

/* Meta types (RFC 6895, 3.1: 128 to 255) ask for transfers and the like; OPT is no question. */
#define TYPE_META_FIRST 128
#define TYPE_META_LAST 254

uint16_t answer_flags(enum answer_view view)
{
    return view == ANSWER_GUEST ? MESSAGE_RA : 0;
}

/* -- Records ------------------------------------------------------------------------------------------ */

static ldns_rdf *name_rdf(const uint8_t *name, size_t length)
{
    return ldns_dname_new_frm_data((uint16_t)length, name);
}

/* A name directly below the zone's apex. `label`: its length, its bytes. */
static ldns_rdf *child_rdf(const struct zone *zone, const char *label)
{
    uint8_t name[MESSAGE_NAME];
    size_t length = 1u + (uint8_t)label[0];
    const uint8_t *apex;
    size_t apex_length;

    zone_apex(zone, &apex, &apex_length);
    memcpy(name, label, length);
    memcpy(name + length, apex, apex_length);
    return name_rdf(name, length + apex_length);
}

/* An empty record; takes `owner`. NULL: no memory. */
static ldns_rr *new_record(const struct zone *zone, ldns_rdf *owner, ldns_rr_type type)
{
    ldns_rr *rr = owner == NULL ? NULL : ldns_rr_new();

    if (rr == NULL) {
        ldns_rdf_deep_free(owner);
        return NULL;
    }
    ldns_rr_set_owner(rr, owner);
    ldns_rr_set_type(rr, type);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr, zone_ttl(zone));
    return rr;
}

static bool add_rdf(ldns_rr *rr, ldns_rdf *rdf)
{
    if (rdf == NULL || !ldns_rr_push_rdf(rr, rdf)) {
        ldns_rdf_deep_free(rdf);
        return false;
    }
    return true;
}

/* Takes `rr`, also when it cannot be added. */
static bool push(ldns_pkt *packet, ldns_pkt_section section, ldns_rr *rr, bool complete)
{
    if (rr == NULL || !complete || !ldns_pkt_push_rr(packet, section, rr)) {
        ldns_rr_free(rr);
        return false;
    }
    return true;
}

static bool add_soa(ldns_pkt *packet, ldns_pkt_section section, const struct zone *zone,
                    const struct zone_finding *finding)
{
    const uint32_t numbers[] = {finding->serial, SOA_REFRESH, SOA_RETRY, SOA_EXPIRE,
                                zone_ttl(zone)};
    ldns_rr *rr = new_record(zone, name_rdf(finding->apex, finding->apex_length), LDNS_RR_TYPE_SOA);
    bool good = rr != NULL && add_rdf(rr, child_rdf(zone, "\3" ZONE_SERVER)) &&
                add_rdf(rr, child_rdf(zone, SOA_MAILBOX));

    for (size_t i = 0; good && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        good = add_rdf(rr, ldns_native2rdf_int32(
                               i == 0 ? LDNS_RDF_TYPE_INT32 : LDNS_RDF_TYPE_PERIOD, numbers[i]));
    }
    return push(packet, section, rr, good);
}

static bool add_one(ldns_pkt *packet, const struct zone *zone, const struct query *query,
                    ldns_rr_type type, ldns_rdf *rdf)
{
    ldns_rr *rr = new_record(zone, name_rdf(query->name, query->name_length), type);

    if (rr == NULL) {
        ldns_rdf_deep_free(rdf);
        return false;
    }
    return push(packet, LDNS_SECTION_ANSWER, rr, add_rdf(rr, rdf));
}

static bool add_addresses(ldns_pkt *packet, const struct zone *zone, const struct query *query,
                          const struct zone_finding *finding)
{
    bool is_v4 = query->type == LDNS_RR_TYPE_A;

    for (size_t i = 0; i < finding->address_count; i++) {
        const struct address *address = &finding->addresses[i];

        if ((address->family == AF_INET) == is_v4 &&
            !add_one(packet, zone, query, (ldns_rr_type)query->type,
                     ldns_rdf_new_frm_data(is_v4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                           address_size(address->family), address->bytes))) {
            return false;
        }
    }
    return true;
}

/* RFC 8482, 4.2: to ANY, one record that says why there are no others. */
static bool add_any(ldns_pkt *packet, const struct zone *zone, const struct query *query)
{
    ldns_rr *rr = new_record(zone, name_rdf(query->name, query->name_length), LDNS_RR_TYPE_HINFO);

    return push(packet, LDNS_SECTION_ANSWER, rr,
                rr != NULL && add_rdf(rr, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, "RFC8482")) &&
                    add_rdf(rr, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, "")));
}

/* The records of the type, if there are any. */
static bool add_records(ldns_pkt *packet, const struct zone *zone, const struct query *query,
                        const struct zone_finding *finding)
{
    bool is_apex = finding->place == ZONE_APEX;

    if (!is_apex && finding->place != ZONE_NODE) {
        return true;
    }
    switch (query->type) {
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_AAAA:
        return add_addresses(packet, zone, query, finding);
    case LDNS_RR_TYPE_PTR:
        return finding->target_length == 0 ||
               add_one(packet, zone, query, LDNS_RR_TYPE_PTR,
                       name_rdf(finding->target, finding->target_length));
    case LDNS_RR_TYPE_SOA:
        return !is_apex || add_soa(packet, LDNS_SECTION_ANSWER, zone, finding);
    case LDNS_RR_TYPE_NS:
        return !is_apex ||
               add_one(packet, zone, query, LDNS_RR_TYPE_NS, child_rdf(zone, "\3" ZONE_SERVER));
    case LDNS_RR_TYPE_ANY:
        return add_any(packet, zone, query);
    default:
        return true;
    }
}

/* -- The message -------------------------------------------------------------------------------------- */

static bool add_question(ldns_pkt *packet, const struct query *query)
{
    ldns_rdf *owner = name_rdf(query->wire + MESSAGE_HEADER, query->name_length);
    ldns_rr *rr = owner == NULL ? NULL : ldns_rr_new();

    if (rr == NULL) {
        ldns_rdf_deep_free(owner);
        return false;
    }
    ldns_rr_set_question(rr, true);
    ldns_rr_set_owner(rr, owner);
    ldns_rr_set_type(rr, (ldns_rr_type)query->type);
    ldns_rr_set_class(rr, (ldns_rr_class)query->class);
    return push(packet, LDNS_SECTION_QUESTION, rr, true);
}

static void set_header(ldns_pkt *packet, const struct query *query, enum answer_view view,
                       enum zone_place place)
{
    ldns_pkt_set_id(packet, message_get16(query->wire));
    ldns_pkt_set_qr(packet, true);
    ldns_pkt_set_aa(packet, true);
    ldns_pkt_set_rd(packet, (query->flags & MESSAGE_RD) != 0);
    ldns_pkt_set_cd(packet, (query->flags & MESSAGE_CD) != 0);
    ldns_pkt_set_ra(packet, view == ANSWER_GUEST);
    ldns_pkt_set_rcode(packet, place == ZONE_MISSING ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_NOERROR);
    if (query->edns) {
        ldns_pkt_set_edns_udp_size(packet, MESSAGE_EDNS);
        ldns_pkt_set_edns_do(packet, query->dnssec_ok);
    }
}

/* NULL: no memory. */
static ldns_pkt *make_packet(const struct zone *zone, enum answer_view view,
                             const struct query *query, const struct zone_finding *finding)
{
    ldns_pkt *packet = ldns_pkt_new();

    if (packet == NULL) {
        return NULL;
    }
    set_header(packet, query, view, finding->place);
    if (add_question(packet, query) && add_records(packet, zone, query, finding) &&
        (ldns_pkt_ancount(packet) > 0 || add_soa(packet, LDNS_SECTION_AUTHORITY, zone, finding))) {
        return packet;
    }
    ldns_pkt_free(packet);
    return NULL;
}

static size_t build(const struct zone *zone, enum answer_view view, const struct query *query,
                    const struct zone_finding *finding, uint8_t out[ANSWER_MAX])
{
    ldns_pkt *packet = make_packet(zone, view, query, finding);
    uint8_t *wire = NULL;
    size_t length = 0;

    if (packet == NULL || ldns_pkt2wire(&wire, packet, &length) != LDNS_STATUS_OK) {
        length = message_reply(query, MESSAGE_SERVFAIL, answer_flags(view), out);
    } else if (length > ANSWER_MAX) {
        length = message_reply(query, MESSAGE_NOERROR, MESSAGE_AA | MESSAGE_TC | answer_flags(view),
                               out);
    } else {
        memcpy(out, wire, length);
    }
    free(wire);
    ldns_pkt_free(packet);
    return length;
}

/* What is refused whatever the name is; MESSAGE_NOERROR: nothing. */
static enum message_rcode refusal(const struct query *query)
{
    if (query->edns_version != 0) {
        return MESSAGE_BADVERS;
    }
    if (query->type == LDNS_RR_TYPE_OPT) {
        return MESSAGE_FORMERR;
    }
    if (query->class != LDNS_RR_CLASS_IN ||
        (query->type >= TYPE_META_FIRST && query->type <= TYPE_META_LAST)) {
        return MESSAGE_REFUSED;
    }
    return MESSAGE_NOERROR;
}

enum answer_verdict answer_parsed(struct zone *zone, enum answer_view view,
                                  const struct query *query, uint8_t out[ANSWER_MAX],
                                  size_t *out_length)
{
    enum message_rcode rcode = refusal(query);
    struct zone_finding finding;

    if (rcode != MESSAGE_NOERROR) {
        *out_length = message_reply(query, rcode, answer_flags(view), out);
        return ANSWER_READY;
    }
    zone_find(zone, query, &finding);
    if (finding.place != ZONE_OUTSIDE) {
        *out_length = build(zone, view, query, &finding, out);
        return ANSWER_READY;
    }
    if (view == ANSWER_GUEST && (query->flags & MESSAGE_RD) != 0) {
        return ANSWER_FORWARD;
    }
    *out_length = message_reply(query, MESSAGE_REFUSED, answer_flags(view), out);
    return ANSWER_READY;
}

enum answer_verdict answer_query(struct zone *zone, enum answer_view view, const uint8_t *wire,
                                 size_t length, struct query *query, uint8_t out[ANSWER_MAX],
                                 size_t *out_length)
{
    switch (query_parse(wire, length, query)) {
    case QUERY_DROPPED:
        return ANSWER_NONE;
    case QUERY_UNKNOWN:
        *out_length = message_reject(wire, MESSAGE_NOTIMP, out);
        return ANSWER_READY;
    case QUERY_MALFORMED:
        *out_length = message_reject(wire, MESSAGE_FORMERR, out);
        return ANSWER_READY;
    default:
        return answer_parsed(zone, view, query, out, out_length);
    }
}
