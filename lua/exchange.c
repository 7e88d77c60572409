/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exchange.h"

#include "box.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5L
#define HEADER_NAME_MAX 128

struct exchange {
    CURL *curl;
    struct curl_slist *headers;
    struct context *context;
    bool redirects; /* GET and HEAD: what is sent is in the URL, which a redirect replaces */
    char *answer;
    size_t length;
    bool too_long;
    char why[CURL_ERROR_SIZE];
};

/* curl's own start is for a thread that is alone; ours come when they will. */
static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void exchange_free(void *held)
{
    struct exchange *exchange = held;

    curl_easy_cleanup(exchange->curl);
    curl_slist_free_all(exchange->headers);
    free(exchange->answer);
    free(exchange);
}

/* -- Callbacks ------------------------------------------------------------------------------------- */

static size_t on_data(char *data, size_t size, size_t count, void *pointer)
{
    struct exchange *exchange = pointer;
    size_t length = size * count;
    char *longer;

    if (exchange->length + length > EXCHANGE_ANSWER_MAX) {
        exchange->too_long = true;
        return 0;
    }
    longer = realloc(exchange->answer, exchange->length + length + 1);
    if (longer == NULL) {
        return 0;
    }
    memcpy(longer + exchange->length, data, length);
    exchange->answer = longer;
    exchange->length += length;
    return length;
}

static int on_progress(void *pointer, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *exchange = pointer;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return context_must_end(exchange->context);
}

/* -- The URL --------------------------------------------------------------------------------------- */

void exchange_where(const char *url, char *where, size_t size)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;

    if (parts != NULL &&
        curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        (void)curl_url_get(parts, CURLUPART_PORT, &port, 0);
        (void)snprintf(where, size, "%s://%s%s%s", scheme, host, port != NULL ? ":" : "",
                       port != NULL ? port : "");
    } else {
        (void)snprintf(where, size, "the URL");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
}

/* -- Making it ------------------------------------------------------------------------------------- */

static void set_method(CURL *curl, const char *method)
{
    if (strcmp(method, "HEAD") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0) {
        (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    }
}

struct exchange *exchange_push(lua_State *lua, const char *method, const char *url)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct box *box = box_push(lua, exchange_free);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    CURL *curl;

    (void)pthread_once(&once, start_curl);
    box->held = exchange;
    curl = exchange != NULL ? curl_easy_init() : NULL;
    if (curl == NULL) {
        (void)luaL_error(lua, "banger.http.request: there is no memory for it");
        return NULL;
    }
    exchange->curl = curl;
    exchange->redirects = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    set_method(curl, method);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "banger/" BANGER_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->why);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
    return exchange;
}

void exchange_set_socket(struct exchange *exchange, const char *path)
{
    (void)curl_easy_setopt(exchange->curl, CURLOPT_UNIX_SOCKET_PATH, path);
}

void exchange_set_ca_file(struct exchange *exchange, const char *path)
{
    if (path != NULL) {
        (void)curl_easy_setopt(exchange->curl, CURLOPT_CAINFO, path);
    }
}

void exchange_set_body(struct exchange *exchange, const char *body, size_t length)
{
    (void)curl_easy_setopt(exchange->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    (void)curl_easy_setopt(exchange->curl, CURLOPT_POSTFIELDS, body);
}

int exchange_add_header(struct exchange *exchange, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *line = NULL;

    if (*name == '\0' || strpbrk(name, ":\r\n ") != NULL || strpbrk(value, "\r\n") != NULL ||
        asprintf(&line, "%s%s%s", name, *value != '\0' ? ": " : ";", value) < 0) {
        return -1;
    }
    longer = curl_slist_append(exchange->headers, line);
    free(line);
    if (longer == NULL) {
        return -1;
    }
    exchange->headers = longer;
    exchange->redirects = false;
    return 0;
}

/* -- Running it ------------------------------------------------------------------------------------ */

int exchange_run(struct exchange *exchange, struct context *context, int64_t timeout_ms)
{
    CURLcode code;

    exchange->context = context;
    (void)curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, exchange->headers);
    (void)curl_easy_setopt(exchange->curl, CURLOPT_FOLLOWLOCATION, (long)exchange->redirects);
    /* 0 would be none */
    (void)curl_easy_setopt(exchange->curl, CURLOPT_TIMEOUT_MS,
                           (long)(timeout_ms > 0 ? timeout_ms : 1));
    code = curl_easy_perform(exchange->curl);
    if (code == CURLE_OK) {
        return 0;
    }
    if (exchange->too_long) {
        (void)snprintf(exchange->why, sizeof(exchange->why), "the answer is longer than %u MiB",
                       EXCHANGE_ANSWER_MAX >> 20U);
    } else if (exchange->why[0] == '\0') {
        (void)snprintf(exchange->why, sizeof(exchange->why), "%s", curl_easy_strerror(code));
    }
    return -1;
}

const char *exchange_why(const struct exchange *exchange)
{
    return exchange->why;
}

long exchange_status(struct exchange *exchange)
{
    long status = 0;

    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

const char *exchange_answer(const struct exchange *exchange, size_t *length)
{
    *length = exchange->length;
    return exchange->answer != NULL ? exchange->answer : "";
}

void exchange_each_header(struct exchange *exchange,
                          int (*visit)(void *pointer, const char *name, const char *value),
                          void *pointer)
{
    struct curl_header *header = NULL;
    char name[HEADER_NAME_MAX];

    while ((header = curl_easy_nextheader(exchange->curl, CURLH_HEADER, -1, header)) != NULL) {
        size_t length = 0;

        for (; header->name[length] != '\0' && length < sizeof(name) - 1; length++) {
            name[length] = (char)tolower((unsigned char)header->name[length]);
        }
        name[length] = '\0';
        (void)visit(pointer, name, header->value);
    }
}
