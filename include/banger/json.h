/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Optional convenience for plugins that use jansson: the JSON text of the host table as json_t and
 * back. Nothing here is part of the ABI; a plugin may do without it.
 *
 * Ownership follows jansson's words: "steals" takes the caller's reference, on failure too, and
 * accepts NULL (what json_pack returns on a wrong format), which is reported as a defect.
 */
#ifndef BANGER_JSON_H
#define BANGER_JSON_H

#include "host.h"

#include <jansson.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The value of any getter key; a new reference, or NULL when there is none. */
static inline json_t *banger_json_get(const struct banger_host *host, struct banger_call *call,
                                      const char *key)
{
    const char *text = host->get_json(call, key);

    return text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
}

/* Compact text; free() it. NULL: reported as this plugin's defect. Steals `value`. */
static inline char *banger_json_text(const struct banger_host *host, struct banger_call *call,
                                     json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(value);
    if (text == NULL) {
        (void)host->fail(call, BANGER_EINTERNAL, "the plugin made a value that is not JSON");
    }
    return text;
}

/* host->contribute. Steals `value`. */
static inline int banger_json_contribute(const struct banger_host *host, struct banger_call *call,
                                         const char *section, json_t *value)
{
    char *text = banger_json_text(host, call, value);
    int result = text == NULL ? -1 : host->contribute(call, section, text);

    free(text);
    return result;
}

/* host->set_json. Steals `value`. */
static inline int banger_json_store(const struct banger_host *host, struct banger_call *call,
                                    const char *key, json_t *value)
{
    char *text = banger_json_text(host, call, value);
    int result = text == NULL ? -1 : host->set_json(call, key, text);

    free(text);
    return result;
}

/* host->host_op. Steals `args`. A new reference to its result, or NULL when it failed (the host has
 * recorded why). */
static inline json_t *banger_json_host_op(const struct banger_host *host, struct banger_call *call,
                                          const char *name, json_t *args)
{
    char *text = banger_json_text(host, call, args);
    const char *answer = NULL;
    json_t *result = NULL;

    if (text != NULL && host->host_op(call, name, text, &answer) == 0) {
        result = json_loads(answer, 0, NULL);
        if (result == NULL) {
            (void)host->fail(call, BANGER_EINTERNAL, "the host's answer to %s is not JSON", name);
        }
    }
    free(text);
    return result;
}

/* host->run. Steals `argv`. A new reference to {"status","stdout","stderr"}, or NULL when the
 * program could not be run (the host has recorded why). */
static inline json_t *banger_json_run(const struct banger_host *host, struct banger_call *call,
                                      json_t *argv)
{
    char *text = banger_json_text(host, call, argv);
    const char *output = NULL;
    json_t *result = NULL;

    if (text != NULL && host->run(call, text, &output) == 0) {
        result = json_loads(output, 0, NULL);
        if (result == NULL) {
            (void)host->fail(call, BANGER_EINTERNAL, "the host's answer to run is not JSON");
        }
    }
    free(text);
    return result;
}

/* host->spawn. Steals `argv` and `options`. */
static inline int banger_json_spawn(const struct banger_host *host, struct banger_call *call,
                                    json_t *argv, json_t *options)
{
    char *argv_text = banger_json_text(host, call, argv);
    char *options_text = banger_json_text(host, call, options);
    int result = -1;

    if (argv_text != NULL && options_text != NULL) {
        result = host->spawn(call, argv_text, options_text);
    }
    free(argv_text);
    free(options_text);
    return result;
}

#ifdef __cplusplus
}
#endif

#endif
