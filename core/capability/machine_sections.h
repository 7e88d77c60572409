/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections of the machine document and what may lie in them. */
#ifndef CAPABILITY_MACHINE_SECTIONS_H
#define CAPABILITY_MACHINE_SECTIONS_H

#include "base/error.h"

#include <jansson.h>

enum machine_rule {
    MACHINE_ONCE,  /* one value, one contributor */
    MACHINE_LIST,  /* items are appended */
    MACHINE_MERGE, /* an object: lists in it are appended, other values are set once */
};

struct machine_section {
    const char *name; /* its dotted place in the document */
    enum machine_rule rule;
    /* Checks the value; of a list, one item. */
    int (*check)(const json_t *value, banger_error *err);
    const char *identity; /* of a list: the member no two items may share; NULL: any item goes */
    const char *single;   /* of a list: the member only one item may have as true; NULL: none */
};

/* NULL, with an error that names the nearest, when there is none of that name. */
const struct machine_section *machine_section_find(const char *name, banger_error *err);

#endif
