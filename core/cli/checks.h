/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of checks and how they went: [{"name","status":"pass"|"warn"|"fail","text","hint"?}]. */
#ifndef CLI_CHECKS_H
#define CLI_CHECKS_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

void checks_print(const json_t *checks);
bool checks_have_failure(const json_t *checks);

/* Adds one. */
void checks_add(json_t *checks, const char *status, const char *name, const char *format, ...)
    BANGER_PRINTF(4, 5);
/* Adds one that did not pass, with the hint of its error. */
void checks_add_error(json_t *checks, const char *status, const char *name,
                      const banger_error *err);

#endif
