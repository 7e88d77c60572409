/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as every kind of name, size and duration, and as text that a terminal will show. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
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

static void want(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* What is accepted is what others rely on: a file's name, a word of nft's or of a kernel's command line,
 * a path that is its own normal form. Said here in another way than in name.c. */
static void check_accepted_names(const char *text)
{
    size_t length = strlen(text);
    if (name_check_label("name", text, NULL) == 0) {
        want(name_check_artifact("name", text, NULL) == 0);
        want(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length && length <= 63);
    }
    if (name_check_artifact("name", text, NULL) == 0) {
        want(text[0] != '.' && text[0] != '-' && strpbrk(text, "/ \n\"'\\=;{}$") == NULL);
    }
    if (name_check_plugin("name", text, NULL) == 0) {
        want(strcmp(text, "core") != 0 && name_check_artifact("name", text, NULL) == 0);
    }
    if (name_check_package(text, NULL) == 0) {
        want(text[0] != '-' && strpbrk(text, "/=: \n") == NULL); /* no option, path or version */
    }
    if (name_check_boot_arg(text, NULL) == 0) {
        for (size_t i = 0; i < length; i++) {
            want((unsigned char)text[i] > 0x20 && (unsigned char)text[i] < 0x7f);
        }
    }
    if (name_check_env(text, NULL) == 0) {
        want(strchr(text, '=') > text);
    }
}

static void check_accepted_path(const char *text)
{
    char again[PATH_MAX] = "";
    size_t used = 0;
    if (name_check_path("path", text, NULL) < 0) {
        return;
    }
    AUTO_FREE char *copy = xstrdup(text);
    char *rest = NULL;
    for (const char *part = strtok_r(copy, "/", &rest); part != NULL;
         part = strtok_r(NULL, "/", &rest)) {
        want(strcmp(part, ".") != 0 && strcmp(part, "..") != 0);
        used += (size_t)snprintf(again + used, sizeof(again) - used, "/%s", part);
        want(used < sizeof(again));
    }
    want(strcmp(used == 0 ? "/" : again, text) == 0);
    for (const char *at = text; *at != '\0'; at++) {
        want((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

static void check_accepted_numbers(const char *text)
{
    int64_t value = -1;
    const int64_t top = INT64_C(1) << 40;
    if (size_parse("size", text, 1, 1 << 20, top, &value, NULL) == 0) {
        want(value >= 1 << 20 && value <= top && text[0] >= '0' && text[0] <= '9');
        want(value % strtoll(text, NULL, 10) == 0); /* a unit is a whole factor */
        AUTO_FREE char *bytes = str_format("%lld", (long long)value);
        int64_t again = 0;
        want(size_parse("size", bytes, 1, 1 << 20, top, &again, NULL) == 0 && again == value);
    } else {
        want(value == -1); /* untouched */
    }
    int64_t number = 4711;
    if (number_parse("number", text, -100, 100, &number, NULL) == 0) {
        want(number >= -100 && number <= 100);
    } else {
        want(number == 4711);
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
    expect(name_check_plugin("name", text, &err), &err);
    expect(name_check_package(text, &err), &err);
    expect(name_check_path("path", text, &err), &err);
    expect(name_check_boot_arg(text, &err), &err);
    expect(name_check_env(text, &err), &err);
    expect(name_check_label_pair(text, &err), &err);
    expect(size_parse("size", text, 1 << 20, 0, INT64_MAX, &value, &err), &err);
    expect(duration_parse("time", text, 0, INT64_MAX, &value, &err), &err);
    expect(number_parse("number", text, INT64_MIN, INT64_MAX, &value, &err), &err);

    check_accepted_names(text);
    check_accepted_path(text);
    check_accepted_numbers(text);

    const char *const known[] = {"web", "memory_mib", "database"};
    (void)str_nearest(text, known, COUNT_OF(known));
    AUTO_FREE char *shown = str_printable((const char *)data, size);
    AUTO_FREE char *again = str_printable(shown, strlen(shown));
    if (strcmp(shown, again) != 0) { /* what was printable stays as it is */
        abort();
    }
    return 0;
}
