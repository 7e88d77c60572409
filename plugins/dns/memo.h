/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers that were given, to be given again: by name, type and the flags that shape an answer. It is
 * what makes tens of thousands of queries a second out of ldns's allocations. For one thread.
 */
#ifndef DNS_MEMO_H
#define DNS_MEMO_H

#include "answer.h"

struct memo;

struct memo *memo_new(void);
void memo_free(struct memo *memo);
/* As answer_query. */
enum answer_verdict memo_answer(struct memo *memo, struct zone *zone, enum answer_view view,
                                const uint8_t *wire, size_t length, struct query *query,
                                uint8_t out[ANSWER_MAX], size_t *out_length);

#endif
