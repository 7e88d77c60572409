/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as every kind of name, size and duration, and as text that a terminal will show. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused must come with a message that is one printable line. */
static void expect(int status, const banger_error *err)
{
    if (status < 0) {
        AUTO_FREE char *line = xstrdup(err->message);
        str_make_line(line);
        if (err->code != BANGER_EINVALID || strcmp(line, err->message) != 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = xmalloc(size + 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    banger_error err = BANGER_ERROR_INIT;
    int64_t value = 0;
    expect(name_check_label("name", text, &err), &err);
    expect(name_check_artifact("name", text, &err), &err);
    expect(name_check_path("path", text, &err), &err);
    expect(name_check_boot_arg(text, &err), &err);
    expect(name_check_env(text, &err), &err);
    expect(name_check_label_pair(text, &err), &err);
    expect(size_parse("size", text, 1 << 20, 0, INT64_MAX, &value, &err), &err);
    expect(duration_parse("time", text, 0, INT64_MAX, &value, &err), &err);
    expect(number_parse("number", text, INT64_MIN, INT64_MAX, &value, &err), &err);

    const char *const known[] = {"web", "memory_mib", "database"};
    (void)str_nearest(text, known, COUNT_OF(known));
    AUTO_FREE char *shown = str_printable((const char *)data, size);
    AUTO_FREE char *again = str_printable(shown, strlen(shown));
    if (strcmp(shown, again) != 0) { /* what was printable stays as it is */
        abort();
    }
    return 0;
}
