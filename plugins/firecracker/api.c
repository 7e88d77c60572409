/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to Firecracker's API: HTTP/1.1 over a unix socket, by libcurl.
 *
 * 1. The socket is opened by descriptor (O_PATH, no link followed, a socket or nothing) and given to
 *    libcurl as /proc/self/fd/N: it fits sun_path wherever it lies, and who sits in the jail cannot
 *    turn it into a link to a socket of this host.
 * 2. A request is sent, and the answer read, within a deadline; bodies of more than API_BODY_MAX
 *    bytes, and headers of more than API_HEADERS_MAX, end it.
 * 3. 204 and 200 are successes. 400 and 503 have {"fault_message"} or {"error"}, or text that is no
 *    JSON (an HTTP-layer error can hold a raw newline): then the text itself is the reason.
 *
 * The peer has a hostile guest inside and may be stopped, hung or taken over: what it says is
 * bounded, made printable, and never followed (no redirects, no other protocols, no proxies).
 */
#include "firecracker.h"
#include "vmm_start.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define API_BODY_MAX 51200   /* what Firecracker itself takes of a body */
#define API_HEADERS_MAX 8192 /* its answers have five short ones */

struct api {
    const struct banger_host *host;
    struct banger_call *call;
    CURL *curl;
    struct curl_slist *headers;
    int socket; /* O_PATH; -1: not there yet */
    char body[API_BODY_MAX + 1];
    size_t used;
    size_t headers_used;
    char text[API_TEXT_MAX + 160];
    enum api_result result;
};

static size_t receive_body(char *data, size_t one, size_t count, void *context)
{
    struct api *api = context;
    size_t length = one * count;

    if (length > API_BODY_MAX - api->used) {
        return 0; /* ends the transfer: CURLE_WRITE_ERROR */
    }
    memcpy(api->body + api->used, data, length);
    api->used += length;
    return length;
}

static size_t receive_header(char *data, size_t one, size_t count, void *context)
{
    struct api *api = context;

    (void)data;
    api->headers_used += one * count;
    return api->headers_used > API_HEADERS_MAX ? 0 : one * count;
}

/* Called about once a second while nothing moves. */
static int look_up(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct api *api = context;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return api->host->cancelled(api->call);
}

/* What holds for every request. */
static void set_up(struct api *api)
{
    CURL *curl = api->curl;

    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL,
                           1L); /* other threads have handlers of their own */
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* nor one of the environment's */
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, api->headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, api);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, api);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, api);
}

struct api *api_open(const struct banger_host *host, struct banger_call *call)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL) {
        return NULL;
    }
    api->host = host;
    api->call = call;
    api->socket = -1;
    api->curl = curl_easy_init();
    api->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (api->curl == NULL || api->headers == NULL ||
        curl_slist_append(api->headers, "Expect:") == NULL) { /* no "100 Continue" first */
        api_close(api);
        return NULL;
    }
    set_up(api);
    return api;
}

void api_close(struct api *api)
{
    if (api == NULL) {
        return;
    }
    curl_easy_cleanup(api->curl);
    curl_slist_free_all(api->headers);
    if (api->socket >= 0) {
        (void)close(api->socket);
    }
    free(api);
}

const char *api_text(const struct api *api)
{
    return api->text;
}

int api_fail(const struct api *api)
{
    int code = api->result == API_TIMEOUT     ? BANGER_ETIMEDOUT
               : api->result == API_CANCELLED ? BANGER_ECANCELLED
                                              : BANGER_EIO;

    return api->host->fail(api->call, code, "%s", api->text);
}

/* In vm.run_dir, or in the jail that the link there leads to. False: it is not there. */
static bool find_socket(struct api *api)
{
    static const char *const places[] = {API_SOCKET, JAIL_LINK "/" API_SOCKET};
    const char *folder = api->host->get_string(api->call, "vm.run_dir", "");
    char path[PATH_MAX];
    struct stat status;

    for (size_t i = 0; api->socket < 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", folder, places[i]) < (int)sizeof(path)) {
            api->socket = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        }
    }
    if (api->socket >= 0 && (fstat(api->socket, &status) < 0 || !S_ISSOCK(status.st_mode))) {
        (void)close(api->socket);
        api->socket = -1;
    }
    return api->socket >= 0;
}

int api_restrict(const struct api *api)
{
    char place[64];

    (void)snprintf(place, sizeof(place), "/proc/self/fd/%d", api->socket);
    return chmod(place, 0600) == 0
               ? 0
               : api->host->fail(api->call, BANGER_EIO, "cannot set the mode of the API socket: %s",
                                 strerror(errno));
}

static enum api_result conclude(struct api *api, enum api_result result, const char *text)
{
    size_t used = strlen(api->text); /* "PUT /vsock: " */

    (void)snprintf(api->text + used, sizeof(api->text) - used, "%s", text);
    api->result = result;
    return result;
}

static enum api_result explain(struct api *api, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        /* The socket is a dead one's: the next request looks again. */
        (void)close(api->socket);
        api->socket = -1;
        return conclude(api, API_ABSENT, "Firecracker does not listen on its API socket");
    case CURLE_OPERATION_TIMEDOUT:
        return conclude(api, API_TIMEOUT, "Firecracker does not answer on its API socket");
    case CURLE_ABORTED_BY_CALLBACK:
        return conclude(api, API_CANCELLED, "the start was cancelled");
    case CURLE_WRITE_ERROR:
        return conclude(api, API_BROKEN, "Firecracker answers more than it ever would");
    default:
        return conclude(api, API_BROKEN, "Firecracker's API socket broke, or does not speak HTTP");
    }
}

/* 400 and its like: the reason is in the body, one way or another. */
static enum api_result read_refusal(struct api *api, long status)
{
    json_auto_t *body = json_loadb(api->body, api->used, 0, NULL);
    char said[API_TEXT_MAX] = "";
    char text[API_TEXT_MAX + 64];
    const char *fault = NULL;

    if (json_unpack(body, "{s:s}", "fault_message", &fault) < 0) {
        (void)json_unpack(body, "{s:s}", "error", &fault);
    }
    (void)snprintf(said, sizeof(said), "%.*s", API_TEXT_MAX - 1, fault != NULL ? fault : api->body);
    vmm_start_make_printable(said, sizeof(said));
    (void)snprintf(text, sizeof(text), "Firecracker refused it (%ld): %s", status,
                   *said != '\0' ? said : "it does not say why");
    return conclude(api, API_REFUSED, text);
}

static enum api_result read_answer(struct api *api, json_t **answer)
{
    long status = 0;
    json_t *body;

    (void)curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    api->body[api->used] = '\0';
    if (status >= 400 && status < 600) {
        return read_refusal(api, status);
    }
    if (status != 200 && status != 204) {
        return conclude(api, API_BROKEN, "Firecracker answers with a status that it does not have");
    }
    if (answer == NULL) {
        return conclude(api, API_OK, "done");
    }
    body = json_loadb(api->body, api->used, 0, NULL);
    if (!json_is_object(body)) {
        json_decref(body);
        return conclude(api, API_BROKEN, "Firecracker's answer is not JSON");
    }
    *answer = body;
    return conclude(api, API_OK, "done");
}

/* At most PATIENCE_MS, and never longer than the call has left. */
static long patience_ms(const struct api *api)
{
    int64_t left = api->host->remaining_ms(api->call);

    if (left == 0) {
        return 1; /* 0 would be for ever */
    }
    return left > 0 && left < PATIENCE_MS ? (long)left : PATIENCE_MS;
}

static CURLcode perform(struct api *api, const char *method, const char *path, const char *body)
{
    CURL *curl = api->curl;
    char url[256];
    char place[64];

    (void)snprintf(url, sizeof(url), "http://localhost%s", path);
    (void)snprintf(place, sizeof(place), "/proc/self/fd/%d", api->socket);
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, place);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, patience_ms(api));
    if (body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    } else {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return curl_easy_perform(curl);
}

enum api_result api_request(struct api *api, const char *method, const char *path,
                            const json_t *body, json_t **answer)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    CURLcode code;

    api->used = 0;
    api->headers_used = 0;
    (void)snprintf(api->text, sizeof(api->text), "%s %s: ", method, path);
    if (body != NULL && text == NULL) {
        return conclude(api, API_BROKEN, "its body is not text");
    }
    if (api->socket < 0 && !find_socket(api)) {
        free(text);
        return conclude(api, API_ABSENT, "there is no API socket");
    }
    code = perform(api, method, path, text);
    free(text);
    return code == CURLE_OK ? read_answer(api, answer) : explain(api, code);
}
