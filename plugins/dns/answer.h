/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a query to its answer: the authoritative part of the server. Pure but for the zone it reads. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "message.h"
#include "zone.h"

/* Room that suffices for every answer of ours. */
#define ANSWER_MAX MESSAGE_EDNS

enum answer_view {
    ANSWER_LOCAL, /* this host: the zone alone */
    ANSWER_GUEST, /* guests: the zone, and everything else from upstream */
};

enum answer_verdict {
    ANSWER_NONE,    /* say nothing */
    ANSWER_READY,   /* `out` has it */
    ANSWER_FORWARD, /* ask upstream; `query` has been parsed */
};

/* `wire` must outlive `query`. */
enum answer_verdict answer_query(struct zone *zone, enum answer_view view, const uint8_t *wire,
                                 size_t length, struct query *query, uint8_t out[ANSWER_MAX],
                                 size_t *out_length);
/* The second half, for a query that is well-formed. */
enum answer_verdict answer_parsed(struct zone *zone, enum answer_view view,
                                  const struct query *query, uint8_t out[ANSWER_MAX],
                                  size_t *out_length);
/* The flag that says whether this view forwards. */
uint16_t answer_flags(enum answer_view view);

#endif
