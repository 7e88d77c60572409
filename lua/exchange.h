/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One HTTP request and its answer, by libcurl: bounded in time and size, http and https only. */
#ifndef LUA_EXCHANGE_H
#define LUA_EXCHANGE_H

#include "context.h"

#define EXCHANGE_WHERE_MAX 320
#define EXCHANGE_ANSWER_MAX (4U << 20U)

struct exchange;

/* "https://host:port" of a URL: the rest of it, and what is before the host, may be secret. */
void exchange_where(const char *url, char *where, size_t size);

/* Pushes it as a value of Lua's, which frees it. `method` and `url` are copied; what is set below lives
 * until it has run. */
struct exchange *exchange_push(lua_State *lua, const char *method, const char *url);
void exchange_set_socket(struct exchange *exchange, const char *path); /* NULL: by the URL's host */
void exchange_set_ca_file(struct exchange *exchange, const char *path); /* NULL: the system's CAs */
void exchange_set_body(struct exchange *exchange, const char *body, size_t length);
/* Below 0: it is no header of one line. A request with one is not redirected: whatever it has, such as a token, is
 * for this host. */
int exchange_add_header(struct exchange *exchange, const char *name, const char *value);

/* Below 0: exchange_why says why. Any answer is a success, whatever its status. */
int exchange_run(struct exchange *exchange, struct context *context, int64_t timeout_ms);
const char *exchange_why(const struct exchange *exchange);

long exchange_status(struct exchange *exchange);
const char *exchange_answer(const struct exchange *exchange, size_t *length);
/* Names in lower case. */
void exchange_each_header(struct exchange *exchange,
                          int (*visit)(void *pointer, const char *name, const char *value),
                          void *pointer);

#endif
