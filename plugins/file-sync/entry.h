/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of `entries`: what is copied, and where to. */
#ifndef FILE_SYNC_ENTRY_H
#define FILE_SYNC_ENTRY_H

#include <banger/json.h>
#include <limits.h>

struct entry {
    char host[PATH_MAX];  /* absolute */
    char guest[PATH_MAX]; /* absolute */
    int mode;             /* of every file; 0: as on the host */
};

/* Checks the entry number `index` (from 0) and takes it apart; <0: host->fail has named it. */
int entry_parse(const struct banger_host *host, struct banger_call *call, const json_t *value,
                size_t index, struct entry *entry);

#endif
