/* SPDX-License-Identifier: MIT-0 */
/* The hooks of @NAME@ against a host that records what they do (<banger/test.h>). */
#include <banger/test.h>

#include <stdio.h>
#include <string.h>

static int failed;

static void expect(const char *what, const char *have, const char *want)
{
    if (have == NULL || strcmp(have, want) != 0) {
        printf("FAILED %s: '%s', not '%s'\n", what, have != NULL ? have : "(nothing)", want);
        failed = 1;
    } else {
        printf("ok     %s\n", what);
    }
}

int main(void)
{
    const struct banger_plugin *plugin = banger_plugin_v1();
    struct fake_host *fake =
        fake_host_new("{\"vm\": {\"name\": \"web\"}, \"config\": {\"text\": \"be nice\"}}");
    const json_t *file;

    fake_host_call(fake, plugin->hooks->check);
    fake_host_call(fake, plugin->hooks->contributeMachineConfig);
    expect("nothing fails", fake_host_error(fake), "");
    file = fake_host_contribution(fake, "guest.files");
    expect("the file's path", json_string_value(json_object_get(file, "path")), "/etc/@NAME@");
    expect("its content", json_string_value(json_object_get(file, "content")), "web: be nice\n");

    fake_host_set(fake, "config.text", json_string(""));
    fake_host_call(fake, plugin->hooks->check);
    expect("no text is refused", fake_host_error(fake), "there is no text to give to guests");

    fake_host_free(fake);
    return failed;
}
