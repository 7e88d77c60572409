/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger.http: one request, by libcurl, within the hook's time. */
#include "compiled.h"
#include "exchange.h"
#include "library.h"
#include "nearest.h"
#include "settings.h"
#include "value.h"

#include <string.h>

#define TIMEOUT_DEFAULT_MS 30000

static const char *const options[] = {"url",     "method", "headers", "body", "json",
                                      "timeout", "socket", "ca_file", NULL};

static const char *text_option(lua_State *lua, const char *name, size_t *length)
{
    (void)lua_getfield(lua, 1, name);
    if (lua_isnil(lua, -1)) {
        return NULL;
    }
    if (lua_type(lua, -1) != LUA_TSTRING) {
        (void)luaL_error(lua, "banger.http.request: '%s' must be a text", name);
    }
    return lua_tolstring(lua, -1, length); /* it stays in the table, and on the stack */
}

static bool has_option(lua_State *lua, const char *name)
{
    bool there = lua_getfield(lua, 1, name) != LUA_TNIL;

    lua_pop(lua, 1);
    return there;
}

/* Asking is allowed everywhere, as banger.host.run is; what else a request does is not known. */
static const char *read_method(lua_State *lua)
{
    bool has_body = has_option(lua, "body") || has_option(lua, "json");
    const char *method = text_option(lua, "method", NULL);

    if (method == NULL) {
        method = has_body ? "POST" : "GET";
    }
    if (*method == '\0' || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(method)) {
        (void)luaL_error(
            lua, "banger.http.request: 'method' must be in capital letters, such as \"POST\"");
    } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        context_need_effects(lua, "banger.http.request, except for GET and HEAD,");
    } else if (has_body) { /* curl would make a POST of it */
        (void)luaL_error(lua, "banger.http.request: a %s has no body", method);
    }
    context_need_call(lua, "banger.http.request");
    return method;
}

/* Whoever may talk to a socket such as Docker's is root. */
static const char *read_socket(lua_State *lua)
{
    const char *socket = text_option(lua, "socket", NULL);

    if (socket != NULL && !settings_allow(context_of(lua)->script->settings, "sockets", socket)) {
        (void)luaL_error(lua,
                         "banger.http.request: the socket %s is not allowed: it is not in "
                         "plugins.lua.sockets of config.lua",
                         socket);
    }
    return socket;
}

static int64_t read_timeout(lua_State *lua)
{
    int64_t most = TIMEOUT_DEFAULT_MS;

    if (lua_getfield(lua, 1, "timeout") != LUA_TNIL) {
        most = library_milliseconds(lua, -1, "banger.http.request");
    }
    /* A little more than the hook has: of the two it is the hook's end that is told. */
    return context_left_ms(context_of(lua), most) + 5;
}

static void read_headers(lua_State *lua, struct exchange *exchange)
{
    if (lua_getfield(lua, 1, "headers") == LUA_TNIL) {
        return;
    }
    luaL_checktype(lua, -1, LUA_TTABLE);
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TSTRING ||
            exchange_add_header(exchange, lua_tostring(lua, -2), lua_tostring(lua, -1)) < 0) {
            (void)luaL_error(lua, "banger.http.request: headers are { [\"Name\"] = \"one line\" }");
        }
        lua_pop(lua, 1);
    }
}

static void read_body(lua_State *lua, struct exchange *exchange)
{
    size_t length = 0;
    const char *body = text_option(lua, "body", &length);

    if (lua_getfield(lua, 1, "json") != LUA_TNIL) {
        if (body != NULL) {
            (void)luaL_error(lua, "banger.http.request: either 'body' or 'json'");
        }
        body = value_push_text(lua, -1, false, "banger.http.request: json");
        length = strlen(body);
        (void)exchange_add_header(exchange, "Content-Type", "application/json");
    }
    if (body != NULL) {
        exchange_set_body(exchange, body, length);
    }
}

static int push_header(void *pointer, const char *name, const char *value)
{
    lua_State *lua = pointer;

    if (lua_getfield(lua, -1, name) == LUA_TSTRING) {
        (void)lua_pushfstring(lua, "%s, %s", lua_tostring(lua, -1), value);
        lua_remove(lua, -2);
    } else {
        lua_pop(lua, 1);
        (void)lua_pushstring(lua, value);
    }
    lua_setfield(lua, -2, name);
    return 0;
}

static void push_response(lua_State *lua, struct exchange *exchange)
{
    size_t length = 0;
    const char *body = exchange_answer(exchange, &length);

    lua_createtable(lua, 0, 3);
    lua_pushinteger(lua, exchange_status(exchange));
    lua_setfield(lua, -2, "status");
    (void)lua_pushlstring(lua, body, length);
    lua_setfield(lua, -2, "body");
    lua_newtable(lua);
    exchange_each_header(exchange, push_header, lua);
    lua_setfield(lua, -2, "headers");
}

/* What a request is answered that is not made. */
static int push_nothing(lua_State *lua)
{
    lua_createtable(lua, 0, 3);
    lua_pushinteger(lua, 200);
    lua_setfield(lua, -2, "status");
    (void)lua_pushliteral(lua, "");
    lua_setfield(lua, -2, "body");
    lua_newtable(lua);
    lua_setfield(lua, -2, "headers");
    return 1;
}

/* banger.http.request{ url = ..., ... } */
static int http_request(lua_State *lua)
{
    const char *method;
    const char *url;
    struct exchange *exchange;
    char where[EXCHANGE_WHERE_MAX];

    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    nearest_check_keys(lua, 1, "banger.http.request", options);
    method = read_method(lua);
    url = text_option(lua, "url", NULL);
    luaL_argcheck(lua, url != NULL, 1, "'url' is missing");
    exchange_where(url, where, sizeof(where));
    exchange = exchange_push(lua, method, url);
    exchange_set_socket(exchange, read_socket(lua));
    exchange_set_ca_file(exchange, text_option(lua, "ca_file", NULL));
    read_headers(lua, exchange);
    read_body(lua, exchange);
    if (context_is_trial(lua, "banger.http.request", where)) {
        return push_nothing(lua);
    }
    if (exchange_run(exchange, context_of(lua), read_timeout(lua)) < 0) {
        context_look(lua);
        return luaL_error(lua, "banger.http.request: %s: %s", where, exchange_why(exchange));
    }
    push_response(lua, exchange);
    return 1;
}

static const luaL_Reg functions[] = {{"request", http_request}, {NULL, NULL}};

const struct library_group library_http = {"http", functions};
