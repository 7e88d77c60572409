/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <jansson.h>

/* Any bytes as a JSON string: those that are no UTF-8 become U+FFFD each. */
json_t *utf8_json(const char *text, size_t length);

#endif
