/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Published ports as they are written: [IP:]HOST:GUEST[/tcp|/udp]. */
#ifndef LIFECYCLE_PUBLISH_H
#define LIFECYCLE_PUBLISH_H

#include "base/error.h"

#include <jansson.h>

int publish_check(const char *text, banger_error *err);
/* Whether no two of a list of checked ones want the same port of the host. */
int publish_check_clashes(const json_t *list, banger_error *err);

#endif
