/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of fixed size without chains: a second answer of the same place replaces the first. A guest
 * that asks for everything costs the others time, no memory.
 */
#include "memo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 2048 /* a power of two; some 800 KiB */
#define KEY_MAX 128
#define WIRE_MAX 256 /* what is longer is built each time */

struct place {
    uint64_t generation; /* of the zone, plus one; 0: empty */
    uint8_t key_length;
    uint16_t wire_length;
    uint8_t key[KEY_MAX];
    uint8_t wire[WIRE_MAX];
};

struct memo {
    uint64_t seed; /* nobody outside can say which names meet in one place */
    struct place places[PLACES];
};

struct key {
    uint8_t bytes[KEY_MAX];
    size_t length;
    uint64_t hash;
};

struct memo *memo_new(void)
{
    struct memo *memo = calloc(1, sizeof(*memo));

    if (memo != NULL && getrandom(&memo->seed, sizeof(memo->seed), 0) < 0) {
        memo->seed = (uintptr_t)memo;
    }
    return memo;
}

void memo_free(struct memo *memo)
{
    free(memo);
}

/* FNV-1a (Fowler, Noll, Vo; 64 bits), from a random start. */
static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

/* All of a query that its answer depends on but the id and the case of letters; false: too long. */
static bool make_key(const struct memo *memo, enum answer_view view, const struct query *query,
                     struct key *key)
{
    uint8_t *at = key->bytes;

    if (query->edns_version != 0 || query->name_length + 5 > KEY_MAX) {
        return false;
    }
    memcpy(at, query->name, query->name_length);
    at += query->name_length;
    message_put16(at, query->type);
    message_put16(at + 2, query->class);
    at[4] = (uint8_t)((view == ANSWER_GUEST ? 1 : 0) | (query->edns ? 2 : 0) |
                      (query->dnssec_ok ? 4 : 0) | ((query->flags & MESSAGE_RD) != 0 ? 8 : 0) |
                      ((query->flags & MESSAGE_CD) != 0 ? 16 : 0));
    key->length = query->name_length + 5;
    key->hash = hash_bytes(memo->seed, key->bytes, key->length);
    return true;
}

static bool recall(const struct place *place, const struct key *key, uint64_t generation,
                   const struct query *query, uint8_t *out, size_t *out_length)
{
    if (place->generation != generation || place->key_length != key->length ||
        memcmp(place->key, key->bytes, key->length) != 0) {
        return false;
    }
    memcpy(out, place->wire, place->wire_length);
    memcpy(out, query->wire, 2);
    memcpy(out + MESSAGE_HEADER, query->wire + MESSAGE_HEADER, query->name_length);
    *out_length = place->wire_length;
    return true;
}

static void keep(struct place *place, const struct key *key, uint64_t generation,
                 const uint8_t *out, size_t length)
{
    if (length > WIRE_MAX) {
        return;
    }
    place->generation = generation;
    place->key_length = (uint8_t)key->length;
    place->wire_length = (uint16_t)length;
    memcpy(place->key, key->bytes, key->length);
    memcpy(place->wire, out, length);
}

enum answer_verdict memo_answer(struct memo *memo, struct zone *zone, enum answer_view view,
                                const uint8_t *wire, size_t length, struct query *query,
                                uint8_t out[ANSWER_MAX], size_t *out_length)
{
    /* Read before the zone is: what changes meanwhile makes this answer old at once. */
    uint64_t generation = zone_generation(zone) + 1;
    enum answer_verdict verdict;
    struct place *place;
    struct key key = {.length = 0};

    if (query_parse(wire, length, query) != QUERY_GOOD || !make_key(memo, view, query, &key)) {
        return answer_query(zone, view, wire, length, query, out, out_length);
    }
    place = &memo->places[key.hash % PLACES];
    if (recall(place, &key, generation, query, out, out_length)) {
        return ANSWER_READY;
    }
    verdict = answer_parsed(zone, view, query, out, out_length);
    if (verdict == ANSWER_READY) {
        keep(place, &key, generation, out, *out_length);
    }
    return verdict;
}
