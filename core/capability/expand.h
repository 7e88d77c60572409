/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What plugins carry, asked for again and again (`expand`):
 *
 * 1. Each plugin that carries is asked in turn; its answer is kept with what it said before.
 * 2. One that fails is believed to carry what it carried: its failure is logged once and kept for
 *    `banger doctor`. Where it has never answered, a broken capability stands for what it may carry.
 * 3. One that has failed is left alone for a while, longer each time (CARRIER_PAUSE_*): a script that hangs
 *    would otherwise cost every operation the whole time limit. Whoever asks what there is (`hook list`,
 *    doctor) has it asked all the same. The first answer ends the pauses.
 * 4. Where any answer differs from the one before, a line-up is built of the plugins and of all that they
 *    carry. What cannot be used there (its description, its configuration, its name, its place) is
 *    broken in it, with the reason; the rest stays. Of a circle only what is carried is broken: plugins
 *    stand in earlier line-ups too, and what stands in one is not changed any more.
 *
 * All of it under the registry's lock of refreshes.
 */
#ifndef CAPABILITY_EXPAND_H
#define CAPABILITY_EXPAND_H

#include "base/clock.h"
#include "capability/lineup.h"

struct carrier {
    struct capability *capability;
    json_t *said;         /* its last answer: an array; NULL: never asked */
    bool answered;        /* at some time */
    banger_error failure; /* of its last call; code 0: none */
    int64_t pause_ms;     /* how long it is left alone after the next failure; 0: the first pause */
    deadline rests_until; /* after the last failure; it has passed for one that answers */
};

#define CARRIER_PAUSE_FIRST_MS 1000
#define CARRIER_PAUSE_MAX_MS 60000

/* Whether it is to be asked before an operation. */
bool carrier_is_due(const struct carrier *carrier);

/* Takes the call's answer (steals `said`, NULL: it failed with `failure`). True: something is new. */
bool carrier_answer(struct carrier *carrier, json_t *said, const banger_error *failure);

struct expansion {
    struct capability *const *plugins; /* in their order */
    size_t plugin_count;
    const struct carrier *carriers;
    size_t carrier_count;
    const json_t *policies; /* may be NULL */
    int64_t timeout_ms;
};

/* A new reference. `earlier`: whose tallies and standings go on. */
struct lineup *expansion_build(const struct expansion *expansion, const struct lineup *earlier);

#endif
