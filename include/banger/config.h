/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Declared configuration. A plugin lists its keys once; the host parses, checks and completes the
 * values before any hook runs, names the nearest known key when one is misspelt, and prints the
 * table in `banger plugin show NAME`. A plugin reads a value with host->get_*(call, "config.KEY").
 */
#ifndef BANGER_CONFIG_H
#define BANGER_CONFIG_H

#include "abi.h"

enum banger_config_type {
    BANGER_CONFIG_STRING = 1,
    BANGER_CONFIG_INT = 2,
    BANGER_CONFIG_BOOL = 3,
    BANGER_CONFIG_SIZE = 4, /* bytes; written as 512, "512K", "64M", "2G", "1T" (powers of 1024) */
    BANGER_CONFIG_DURATION =
        5,                  /* milliseconds; written as 3 (seconds), "250ms", "3s", "2m", "1h" */
    BANGER_CONFIG_LIST = 6, /* of strings */
    BANGER_CONFIG_JSON = 7, /* any table; the plugin checks it in its `check` hook */
};

struct banger_config_key {
    uint32_t size; /* sizeof(struct banger_config_key) */
    enum banger_config_type type;
    const char *name;          /* [a-z][a-z0-9_]*, at most 63 bytes */
    const char *default_value; /* as text; LIST and JSON: JSON text ("[]"); NULL: no value */
    const char *help;          /* one line */
    int64_t minimum;           /* INT, SIZE (bytes), DURATION (ms); both 0: no bounds */
    int64_t maximum;
};

#endif
