/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a query, and as what an upstream says to one. The first byte says who asks. */
#include "answer.h"
#include "memo.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *zone;
static struct memo *memo;

static void set_up(void)
{
    const struct address gateway = {.family = AF_INET, .bytes = {172, 16, 0, 1}};
    const struct address v4 = {.family = AF_INET, .bytes = {172, 16, 0, 2}};
    const struct address gateway6 = {.family = AF_INET6, .bytes = {0xfd, [15] = 1}};
    const struct address v6 = {.family = AF_INET6, .bytes = {0xfd, [15] = 2}};

    zone = zone_new((const uint8_t *)"\2vm", 4, 5);
    memo = memo_new();
    if (zone == NULL || memo == NULL || !zone_put_range(zone, &gateway, 20) ||
        !zone_put_range(zone, &gateway6, 62) || !zone_put_host(zone, "1", "a", &v4, &v6)) {
        abort();
    }
}

/* What we say can be read, and says what a query's answer must. */
static void check_answer(const uint8_t *wire, const uint8_t *out, size_t length)
{
    ldns_pkt *packet = NULL;

    if (length > ANSWER_MAX || memcmp(out, wire, 2) != 0 || (out[2] & 0x80) == 0 ||
        ldns_wire2pkt(&packet, out, length) != LDNS_STATUS_OK) {
        abort();
    }
    ldns_pkt_free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[ANSWER_MAX];
    uint8_t again[ANSWER_MAX];
    struct query query;
    size_t length = 0;
    size_t length_again = 0;
    enum answer_view view;
    enum answer_verdict verdict;

    if (zone == NULL) {
        set_up();
    }
    if (size < 1 || size - 1 > MESSAGE_QUERY) {
        return 0;
    }
    view = data[0] % 2 == 0 ? ANSWER_LOCAL : ANSWER_GUEST;
    data++;
    size--;
    verdict = answer_query(zone, view, data, size, &query, out, &length);
    if (verdict == ANSWER_READY) {
        check_answer(data, out, length);
    }
    if (memo_answer(memo, zone, view, data, size, &query, again, &length_again) != verdict ||
        length_again != length || memcmp(out, again, length) != 0) {
        abort();
    }
    if (verdict == ANSWER_FORWARD && message_answers(data, size, message_get16(data), &query)) {
        abort(); /* a query is no answer to itself */
    }
    return 0;
}
