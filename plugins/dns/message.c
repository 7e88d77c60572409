/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include <string.h>

#define TYPE_OPT 41      /* RFC 6891, 6.1.1 */
#define EDNS_DO 0x8000   /* RFC 3225, 3 */
#define ADDITIONAL_MAX 4 /* OPT, TSIG or SIG(0), and room */
#define OPT_LENGTH (1 + MESSAGE_RECORD)

/* Offsets of the header's words. */
enum { ID = 0, FLAGS = 2, QUESTIONS = 4, ANSWERS = 6, AUTHORITIES = 8, ADDITIONALS = 10 };

uint16_t message_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

void message_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

uint8_t message_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* The question's name: plain labels only. Nothing lies before it that a pointer could point at. */
static bool parse_name(const uint8_t *wire, size_t length, struct query *query)
{
    size_t at = MESSAGE_HEADER;
    size_t used = 0;

    for (;;) {
        size_t label = at < length ? wire[at] : 64;

        if (label > 63 || at + label + 1 > length || used + label + 1 > MESSAGE_NAME) {
            return false;
        }
        if (label != 0) {
            query->label_at[query->labels++] = (uint8_t)used;
        }
        query->name[used++] = (uint8_t)label;
        at++;
        if (label == 0) {
            query->name_length = used;
            query->question_end = at;
            return true;
        }
        for (size_t i = 0; i < label; i++) {
            query->name[used++] = message_lower(wire[at++]);
        }
    }
}

static bool parse_question(const uint8_t *wire, size_t length, struct query *query)
{
    if (!parse_name(wire, length, query) || length - query->question_end < 4) {
        return false;
    }
    query->type = message_get16(wire + query->question_end);
    query->class = message_get16(wire + query->question_end + 2);
    query->question_end += 4;
    return true;
}

/* Behind a record's name, which may end in a pointer that is not followed; 0: malformed. */
static size_t skip_name(const uint8_t *wire, size_t length, size_t at)
{
    while (at < length) {
        uint8_t label = wire[at];

        if (label == 0) {
            return at + 1;
        }
        if (label >= 0xc0) { /* RFC 1035, 4.1.4 */
            return at + 2;
        }
        if (label > 63) {
            return 0;
        }
        at += 1 + label;
    }
    return 0;
}

/* OPT's options are not looked at, but must lie within. */
static bool take_opt(const uint8_t *record, size_t name_length, struct query *query)
{
    if (query->edns || name_length != 1) { /* RFC 6891, 6.1.1: one at most, at the root */
        return false;
    }
    query->edns = true;
    query->edns_size = message_get16(record + 2);
    query->edns_version = record[5];
    query->dnssec_ok = (message_get16(record + 6) & EDNS_DO) != 0;
    return true;
}

static bool parse_additional(const uint8_t *wire, size_t length, struct query *query)
{
    size_t at = query->question_end;
    size_t count = message_get16(wire + ADDITIONALS);

    if (count > ADDITIONAL_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t record = skip_name(wire, length, at);

        if (record == 0 || record + MESSAGE_RECORD > length ||
            record + MESSAGE_RECORD + message_get16(wire + record + 8) > length) {
            return false;
        }
        if (message_get16(wire + record) == TYPE_OPT &&
            !take_opt(wire + record, record - at, query)) {
            return false;
        }
        at = record + MESSAGE_RECORD + message_get16(wire + record + 8);
    }
    return at == length;
}

enum query_verdict query_parse(const uint8_t *wire, size_t length, struct query *query)
{
    query->wire = wire;
    query->question_end = 0;
    query->labels = 0;
    query->edns = false;
    query->dnssec_ok = false;
    query->edns_version = 0;
    query->edns_size = MESSAGE_PLAIN;
    if (length < MESSAGE_HEADER) {
        return QUERY_DROPPED;
    }
    query->flags = message_get16(wire + FLAGS);
    if ((query->flags & MESSAGE_QR) != 0) {
        return QUERY_DROPPED; /* two servers that answer answers never stop */
    }
    if ((query->flags & MESSAGE_OPCODE) != 0) {
        return QUERY_UNKNOWN;
    }
    if (message_get16(wire + QUESTIONS) != 1 || message_get16(wire + ANSWERS) != 0 ||
        message_get16(wire + AUTHORITIES) != 0 || !parse_question(wire, length, query) ||
        !parse_additional(wire, length, query)) {
        return QUERY_MALFORMED;
    }
    return QUERY_GOOD;
}

size_t query_limit(const struct query *query)
{
    size_t limit = query->edns_size;

    if (!query->edns || limit < MESSAGE_PLAIN) { /* RFC 6891, 6.2.3 */
        return MESSAGE_PLAIN;
    }
    return limit > MESSAGE_EDNS ? MESSAGE_EDNS : limit;
}

size_t message_reject(const uint8_t *wire, enum message_rcode rcode, uint8_t out[MESSAGE_HEADER])
{
    uint16_t flags = message_get16(wire + FLAGS);

    memset(out, 0, MESSAGE_HEADER);
    memcpy(out, wire, 2);
    message_put16(out + FLAGS, (uint16_t)(MESSAGE_QR | (flags & (MESSAGE_OPCODE | MESSAGE_RD)) |
                                          (uint16_t)rcode));
    return MESSAGE_HEADER;
}

static size_t put_opt(const struct query *query, enum message_rcode rcode, uint8_t *out)
{
    memset(out, 0, OPT_LENGTH);
    message_put16(out + 1, TYPE_OPT);
    message_put16(out + 3, MESSAGE_EDNS);
    out[5] = (uint8_t)(rcode >> 4); /* RFC 6891, 6.1.3: the upper eight of twelve bits */
    message_put16(out + 7, query->dnssec_ok ? EDNS_DO : 0);
    return OPT_LENGTH;
}

size_t message_reply(const struct query *query, enum message_rcode rcode, uint16_t flags,
                     uint8_t *out)
{
    size_t length = query->question_end;

    memcpy(out, query->wire, length);
    message_put16(out + FLAGS, (uint16_t)(MESSAGE_QR | flags | ((uint16_t)rcode & 0x0f) |
                                          (query->flags & (MESSAGE_RD | MESSAGE_CD))));
    message_put16(out + QUESTIONS, 1);
    memset(out + ANSWERS, 0, MESSAGE_HEADER - ANSWERS);
    if (query->edns) {
        message_put16(out + ADDITIONALS, 1);
        length += put_opt(query, rcode, out + length);
    }
    return length;
}

bool message_answers(const uint8_t *wire, size_t length, uint16_t id, const struct query *query)
{
    size_t end = query->question_end;

    if (length < end || message_get16(wire + ID) != id ||
        (message_get16(wire + FLAGS) & (MESSAGE_QR | MESSAGE_OPCODE)) != MESSAGE_QR ||
        message_get16(wire + QUESTIONS) != 1) {
        return false;
    }
    for (size_t i = 0; i < query->name_length; i++) {
        if (message_lower(wire[MESSAGE_HEADER + i]) != query->name[i]) {
            return false;
        }
    }
    return memcmp(wire + end - 4, query->wire + end - 4, 4) == 0; /* type and class */
}
