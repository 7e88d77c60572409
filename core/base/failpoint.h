/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failpoints: places at which a test has the daemon die, a function fail, or time pass.
 *
 * 1. A place is a name and a moment, "tap.acquire" and "before". All that a build has are in one
 *    linker section, of a table (the host operations, the stages) one row for a whole column of names:
 *    `bangerd --failpoints` lists them without that anything is run.
 * 2. What can happen at a place follows from what follows it: `failpoint` is in a function that can
 *    fail, `failpoint_write` in front of or behind a write, which a full disk may refuse, and at
 *    `failpoint_kill` only the process can end any more.
 * 3. BANGER_FAULT=NAME:MOMENT[@N]:ACT acts at the Nth pass of the place, the first by default:
 *      kill    the process gets SIGKILL
 *      error   the function fails, once, with EIO and "failpoint NAME:MOMENT"
 *      enospc  it fails as on a full disk
 *      delay   FAILPOINT_DELAY_MS pass, which may change nothing
 *    BANGER_FAULT_LOG=FILE gets a line "NAME:MOMENT@N ACTS" a pass: what there is to try.
 * 4. The passes of one operation come in one order, as long as nothing else is asked of the daemon: no
 *    place may lie in a thread that runs beside operations.
 *
 * All of it is there in a build made by `make FAULTS=1` only. In any other the macros are nothing, and
 * the texts are not in the program.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/error.h"

#ifndef BANGER_FAULTS

#define failpoint(name, moment, err) 0
#define failpoint_write(name, moment, err) 0
#define failpoint_kill(name, moment) ((void)0)
#define failpoint_row(name, moment, err) 0
#define failpoint_row_kill(name, moment) ((void)0)
#define FAILPOINT_COLUMN(table, column, moment, kind) struct failpoint_none

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define FAILPOINT_DELAY_MS 200

enum failpoint_kind {
    FAILPOINT_KILL,
    FAILPOINT_FAIL,
    FAILPOINT_WRITE,
};

struct failpoint_place {
    const char *name;  /* NULL: those of `names` */
    const void *names; /* the first of `count` strings, `stride` bytes apart */
    size_t count;
    size_t stride;
    const char *moment;
    enum failpoint_kind kind;
};

/* Pointers, since the compiler may align structs further apart than they are long. */
#define FAILPOINT_LISTED __attribute__((section("failpoints"), used))

/* Reads the environment; before the process has threads. Only bangerd does: elsewhere there is
 * nothing to pass. EINVALID: a value that would quietly test nothing. */
int failpoint_arm(banger_error *err);

/* "NUMBER NAME:MOMENT ACTS" a line, in the order of the names. */
void failpoint_list(FILE *out);

extern bool failpoint_armed;
int failpoint_pass(const char *name, const char *moment, enum failpoint_kind kind,
                   banger_error *err);

static inline int failpoint_at(const struct failpoint_place *place, banger_error *err)
{
    return failpoint_armed ? failpoint_pass(place->name, place->moment, place->kind, err) : 0;
}

#define FAILPOINT_PLACE(place_name, place_moment, place_kind)                                      \
    __extension__({                                                                                \
        static const struct failpoint_place here = {                                               \
            .name = (place_name), .moment = (place_moment), .kind = (place_kind)};                 \
        static const struct failpoint_place *const listed FAILPOINT_LISTED = &here;                \
        listed;                                                                                    \
    })

/* A place in a function that can fail: its caller goes on, or gives up as after any other failure. */
#define failpoint(name, moment, err)                                                               \
    failpoint_at(FAILPOINT_PLACE(name, moment, FAILPOINT_FAIL), err)
#define failpoint_write(name, moment, err)                                                         \
    failpoint_at(FAILPOINT_PLACE(name, moment, FAILPOINT_WRITE), err)
#define failpoint_kill(name, moment)                                                               \
    ((void)failpoint_at(FAILPOINT_PLACE(name, moment, FAILPOINT_KILL), NULL))

/* A place that is there for each row of a table: FAILPOINT_COLUMN lists them beside the table, by the
 * column of their names. */
#define failpoint_row(name, moment, err)                                                           \
    (failpoint_armed ? failpoint_pass(name, moment, FAILPOINT_FAIL, err) : 0)
#define failpoint_row_kill(name, moment)                                                           \
    ((void)(failpoint_armed ? failpoint_pass(name, moment, FAILPOINT_KILL, NULL) : 0))
#define FAILPOINT_COLUMN(table, column, column_moment, kind_of)                                    \
    FAILPOINT_COLUMN_AT(table, column, column_moment, kind_of, __LINE__)
#define FAILPOINT_COLUMN_AT(table, column, column_moment, kind_of, line)                           \
    FAILPOINT_COLUMN_ROW(table, column, column_moment, kind_of, line)
#define FAILPOINT_COLUMN_ROW(table, column, column_moment, kind_of, line)                          \
    static const struct failpoint_place failpoint_column_##line = {                                \
        .names = &(table)[0].column,                                                               \
        .count = sizeof(table) / sizeof((table)[0]),                                               \
        .stride = sizeof((table)[0]),                                                              \
        .moment = (column_moment),                                                                 \
        .kind = (kind_of),                                                                         \
    };                                                                                             \
    static const struct failpoint_place *const failpoint_listed_##line FAILPOINT_LISTED =          \
        &failpoint_column_##line

#endif
#endif
