/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was called, in order, and what another run's calls were answered. */
#include "fake.h"

#include <string.h>

void fake_note(struct fake_host *fake, const char *function, json_t *args, json_t *result)
{
    json_array_append_new(fake->calls,
                          json_pack("{s:s, s:o, s:o*}", "call", function, "args",
                                    args != NULL ? args : json_array(), "result", result));
}

json_t *fake_replayed(struct fake_host *fake, const char *function, const json_t *args)
{
    size_t i;
    json_t *entry;

    json_array_foreach (fake->replay, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "call"));

        if (name != NULL && strcmp(name, function) == 0 &&
            json_equal(json_object_get(entry, "args"), args)) {
            json_incref(entry);
            json_array_remove(fake->replay, i);
            return entry;
        }
    }
    return NULL;
}

int fake_respond(struct banger_call *call, const struct fake_response *response,
                 const char **result)
{
    struct fake_host *fake = fake_of(call);
    const json_t *recorded = response->recorded;
    const char *why =
        recorded == NULL ? response->why : json_string_value(json_object_get(recorded, "error"));
    json_t *answer =
        recorded == NULL ? response->answer : json_incref(json_object_get(recorded, "result"));
    const char *text = NULL;

    if (recorded != NULL && answer == NULL && why == NULL) {
        why = "its answer was too long for the recording";
    }
    fake_note(fake, response->function, response->args, json_incref(answer));
    if (recorded != NULL) {
        json_object_set_new(json_array_get(fake->calls, json_array_size(fake->calls) - 1),
                            "recorded", json_true());
    }
    text = fake_keep(fake, answer);
    if (text == NULL) {
        (void)fake_refuse(call, response->code, "%s", why != NULL ? why : response->why);
    } else if (result != NULL) {
        *result = text;
    }
    json_decref(response->recorded);
    return text != NULL ? 0 : -1;
}

void fake_host_replay(struct fake_host *fake, const json_t *calls)
{
    json_decref(fake->replay);
    fake->replay = json_is_array(calls) ? json_copy((json_t *)calls) : json_array();
}

const json_t *fake_host_calls(struct fake_host *fake)
{
    return fake->calls;
}
