/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small helpers over jansson: parsing with our errors, dotted lookup, checked fields. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "error.h"
#include "str.h"

#include <jansson.h>
#include <stdbool.h>

/* Parses any JSON value of at most 16 MiB; `what` names it in the error. A new reference. */
json_t *json_parse(const char *what, const char *text, size_t length, banger_error *err);
/* Compact text; a new string, never NULL. */
char *json_text(const json_t *json);
/* A string whatever the bytes are: those that jansson refuses become '?'. NULL gives null. */
json_t *json_lossy_string(const char *text);
/* The same of what a program wrote, zero bytes included; never null. */
json_t *json_lossy_output(const struct buf *output);
/* The value at "a.b.c" in nested objects; a borrowed reference or NULL. */
json_t *json_at(const json_t *json, const char *dotted);
/* Sets the value at "a.b.c", making objects on the way. Steals `value`; one that cannot be set
 * (NULL, a key that is not UTF-8) is dropped. */
void json_put(json_t *json, const char *dotted, json_t *value);

const char *json_get_string(const json_t *json, const char *dotted, const char *fallback);
int64_t json_get_int(const json_t *json, const char *dotted, int64_t fallback);
bool json_get_bool(const json_t *json, const char *dotted, bool fallback);

/* Parameters of a request, checked: a missing or wrongly typed one fails with its name. */
int json_need_string(const json_t *params, const char *name, const char **value, banger_error *err);
int json_want_string(const json_t *params, const char *name, const char **value, banger_error *err);
int json_want_int(const json_t *params, const char *name, int64_t *value, banger_error *err);
int json_want_bool(const json_t *params, const char *name, bool *value, banger_error *err);
/* Fails when the object has a key that is not among `known` (NULL-terminated); says the nearest. */
int json_only_keys(const char *what, const json_t *object, const char *const *known,
                   banger_error *err);

#endif
