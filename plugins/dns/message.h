/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DNS messages as bytes (RFC 1035, 4.1): reading a query, and the answers that hold no records.
 *
 * Queries are read here and not by ldns: whoever sends them is hostile, nothing but the header, the
 * question and OPT matters to us, and none of that needs memory. Names are in wire format.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEADER 12 /* RFC 1035, 4.1.1 */
#define MESSAGE_PLAIN 512 /* RFC 1035, 4.2.1: UDP without EDNS */
#define MESSAGE_EDNS                                                                               \
    1232 /* what we send and take at most by UDP: no fragments (DNS flag day 2020) */
#define MESSAGE_MAX 65535  /* TCP's length prefix has 16 bits */
#define MESSAGE_QUERY 1280 /* the longest query we read; they are below 300 bytes without padding */
#define MESSAGE_NAME 255   /* RFC 1035, 3.1 */
#define MESSAGE_LABELS 127 /* of one byte each in a name of 255 */
#define MESSAGE_RECORD 10  /* type, class, ttl, length of data: a record without its name */

/* Bits of the second header word. */
#define MESSAGE_QR 0x8000
#define MESSAGE_OPCODE 0x7800
#define MESSAGE_AA 0x0400
#define MESSAGE_TC 0x0200
#define MESSAGE_RD 0x0100
#define MESSAGE_RA 0x0080
#define MESSAGE_CD 0x0010

/* RFC 1035, 4.1.1; BADVERS: RFC 6891, 9. */
enum message_rcode {
    MESSAGE_NOERROR = 0,
    MESSAGE_FORMERR = 1,
    MESSAGE_SERVFAIL = 2,
    MESSAGE_NXDOMAIN = 3,
    MESSAGE_NOTIMP = 4,
    MESSAGE_REFUSED = 5,
    MESSAGE_BADVERS = 16,
};

struct query {
    const uint8_t *wire; /* borrowed */
    size_t question_end; /* offset behind the question */
    uint16_t flags;
    uint16_t type;
    uint16_t class;
    uint8_t name[MESSAGE_NAME]; /* in lower case */
    size_t name_length;         /* with the root's byte */
    size_t labels;              /* without the root */
    uint8_t label_at[MESSAGE_LABELS];
    bool edns;
    bool dnssec_ok;
    uint8_t edns_version;
    uint16_t edns_size; /* what the asker takes by UDP */
};

enum query_verdict {
    QUERY_GOOD = 0,
    QUERY_DROPPED, /* no query: an answer, or shorter than a header */
    QUERY_MALFORMED,
    QUERY_UNKNOWN, /* another opcode */
};

enum query_verdict query_parse(const uint8_t *wire, size_t length, struct query *query);
/* What an answer to it by UDP may have. */
size_t query_limit(const struct query *query);

/* The answer to what could not be parsed: a header alone. Returns its length. */
size_t message_reject(const uint8_t *wire, enum message_rcode rcode, uint8_t out[MESSAGE_HEADER]);
/* Header, question and OPT where one was sent. `flags`: AA, RA, TC. `out` has MESSAGE_PLAIN bytes,
 * which always suffices. */
size_t message_reply(const struct query *query, enum message_rcode rcode, uint16_t flags,
                     uint8_t *out);

/* Is `wire` an answer with this id to the question of `query`? The case of letters is the asker's
 * to choose and some resolvers' to change: it is not compared. */
bool message_answers(const uint8_t *wire, size_t length, uint16_t id, const struct query *query);

uint16_t message_get16(const uint8_t *at);
void message_put16(uint8_t *at, uint16_t value);
uint8_t message_lower(uint8_t byte);

#endif
