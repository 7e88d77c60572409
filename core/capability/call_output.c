/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hook adds: to the machine, to what is carried, to the VM's run, to the event stream. */
#include "call.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/carried.h"

#include <string.h>

#define KEY_MAX 63
#define CARRIED_MAX 1000 /* by one plugin; the order of all of them is worked out at every change */

int call_contribute(struct banger_call *call, const char *section, const char *json)
{
    if (!call->contributes) {
        return call_refuse(call, BANGER_EINVALID, "contribute is not allowed in %s", call->what);
    }
    AUTO_JSON json_t *value = call_parse(call, section, json);
    if (value == NULL || !call_lock(call)) {
        return -1;
    }
    banger_error problem = BANGER_ERROR_INIT;
    int result = 0;
    if (call->scope->machine == NULL) {
        result = error_set(&problem, BANGER_EUNSUPPORTED, "no machine is being composed here");
    } else {
        result = machine_add(call->scope->machine, call->capability->plugin->name, section, value,
                             &problem);
    }
    call_unlock(call);
    return result == 0 ? 0 : call_error(call, &problem);
}

int call_provide(struct banger_call *call, const char *json)
{
    if (!call->expands) {
        return call_refuse(call, BANGER_EINVALID, "provide is not allowed in %s", call->what);
    }
    AUTO_JSON json_t *said = call_parse(call, "the carried capability", json);
    banger_error problem = BANGER_ERROR_INIT;
    if (said == NULL) {
        return -1;
    }
    if (carried_check(said, &problem) < 0) {
        (void)error_prefix(&problem, "provide: ");
        return call_error(call, &problem);
    }
    if (!call_lock(call)) {
        return -1;
    }
    bool fits = json_array_size(call->scope->provided) < CARRIED_MAX;
    if (fits) {
        (void)json_array_append(call->scope->provided, said);
    }
    call_unlock(call);
    return fits
               ? 0
               : call_refuse(call, BANGER_EFULL, "provide: more than %d capabilities", CARRIED_MAX);
}

static bool is_key(const char *text, const char *allowed)
{
    size_t length = strspn(text, allowed);
    return length >= 1 && length <= KEY_MAX && text[length] == '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Its bytes as JSON; 0: there is none. */
static size_t size_of(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_ENCODE_ANY);
}

/* Puts a value into the capability's own object; -1: it would be more than that may hold. With the scope's lock
 * held. Takes the value. */
static int keep_value(const struct banger_call *call, const char *key, json_t *value)
{
    const char *name = call->capability->plugin->name;
    json_t *own = json_object_get(call->scope->runtime, name);
    if (!json_is_object(own)) {
        own = json_object();
        (void)json_object_set_new(call->scope->runtime, name, own);
    }
    if (size_of(own) - size_of(json_object_get(own, key)) + size_of(value) > CALL_RUNTIME_MAX) {
        json_decref(value);
        return -1;
    }
    return json_object_set_new(own, key, value);
}

int call_set_json(struct banger_call *call, const char *key, const char *json)
{
    if (call_need_effects(call, "set_json") < 0) {
        return -1;
    }
    if (!is_key(key, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_-")) {
        return call_refuse(call, BANGER_EINVALID,
                           "set_json: invalid key '%s': use 1 to %d letters, digits, '_' and '-'",
                           key, KEY_MAX);
    }
    json_t *value = call_parse(call, key, json);
    if (value == NULL) {
        return -1;
    }
    if (!call_lock(call)) {
        json_decref(value);
        return -1;
    }
    int kept = keep_value(call, key, value);
    call_unlock(call);
    return kept == 0 ? 0
                     : call_refuse(call, BANGER_EFULL,
                                   "set_json: '%s' is more than the %zu KiB it may store", key,
                                   CALL_RUNTIME_MAX >> 10);
}

int call_emit(struct banger_call *call, const char *name, const char *json)
{
    struct scope *scope = call->scope;
    if (call_need_effects(call, "emit") < 0) {
        return -1;
    }
    if (!is_key(name, LOWER DIGITS "_.-") || strchr(LOWER, name[0]) == NULL) {
        return call_refuse(call, BANGER_EINVALID,
                           "emit: invalid event name '%s': use a lower-case letter, then letters, "
                           "digits, '_', '.' and '-'",
                           name);
    }
    if (scope->services.emit == NULL) {
        return call_refuse(call, BANGER_EUNSUPPORTED, "emit is not offered in %s", call->what);
    }
    AUTO_JSON json_t *data = call_parse(call, name, json);
    if (data == NULL || !call_enter(call)) {
        return -1;
    }
    AUTO_FREE char *type = str_format("%s.%s", call->capability->plugin->name, name);
    scope->services.emit(scope->context, type, data);
    call_leave(call);
    return 0;
}
