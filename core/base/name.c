/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "name.h"

#include "str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The value as it may be shown: cut, control characters replaced. */
struct shown {
    char text[80];
};

static struct shown show(const char *value)
{
    struct shown out;
    size_t used = 0;
    for (; value[used] != '\0' && used < sizeof(out.text) - 4; used++) {
        unsigned char c = (unsigned char)value[used];
        out.text[used] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    while (value[used] != '\0' && used > 0 && ((unsigned char)value[used] & 0xc0) == 0x80) {
        used--; /* not in the middle of a character */
    }
    (void)snprintf(out.text + used, sizeof(out.text) - used, "%s",
                   value[used] != '\0' ? "..." : "");
    return out;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int name_check_label(const char *what, const char *name, banger_error *err)
{
    size_t length = strlen(name);
    bool good =
        length >= 1 && length <= NAME_MAX_LENGTH && name[0] != '-' && name[length - 1] != '-';
    for (size_t i = 0; good && i < length; i++) {
        good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
               name[i] == '-';
    }
    if (good) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid %s '%s': use 1 to %d lower-case letters, digits and '-', with a letter or "
        "digit first and last",
        what, show(name).text, NAME_MAX_LENGTH);
}

int name_check_artifact(const char *what, const char *name, banger_error *err)
{
    size_t length = strlen(name);
    bool good = length >= 1 && length <= NAME_MAX_LENGTH && is_alnum(name[0]);
    for (size_t i = 0; good && i < length; i++) {
        good = is_alnum(name[i]) || strchr("._-", name[i]) != NULL;
    }
    if (good) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid %s '%s': use 1 to %d letters, digits, '.', '_' and '-', with a letter or "
        "digit first",
        what, show(name).text, NAME_MAX_LENGTH);
}

#define PLUGIN_NAME_MAX 31
#define PACKAGE_NAME_MAX 128
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

int name_check_plugin(const char *what, const char *name, banger_error *err)
{
    size_t length = strnlen(name, PLUGIN_NAME_MAX + 1);
    bool good = length >= 1 && length <= PLUGIN_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
                strspn(name, LOWER DIGITS "-") == length;
    if (good && strcmp(name, "core") == 0) {
        return error_set(err, BANGER_EINVALID, "invalid %s 'core': it is the core's own", what);
    }
    if (good) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid %s '%s': use a lower-case letter, then at most %d lower-case letters, "
        "digits and '-'",
        what, show(name).text, PLUGIN_NAME_MAX - 1);
}

int name_check_package(const char *name, banger_error *err)
{
    size_t length = strlen(name);
    if (length >= 2 && length <= PACKAGE_NAME_MAX && strspn(name, LOWER DIGITS "+.-") == length &&
        strchr("+.-", name[0]) == NULL) {
        return 0;
    }
    (void)error_set(err, BANGER_EINVALID,
                    "invalid package name '%s': use lower-case letters, digits, '+', '-' and '.', "
                    "with a letter or digit first",
                    show(name).text);
    return error_hint(err, "for a file give its path: --deb ./linux-image.deb");
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if (iscntrl((unsigned char)*text)) {
            return true;
        }
    }
    return false;
}

/* Whether some component of the path is empty, "." or "..". A trailing slash counts as empty. */
static bool has_odd_component(const char *path)
{
    for (const char *at = path; *at != '\0';) {
        const char *part = at + 1;
        size_t length = strcspn(part, "/");
        if ((length == 0 && strcmp(path, "/") != 0) || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.')) {
            return true;
        }
        at = part + length;
    }
    return false;
}

int name_check_path(const char *what, const char *path, banger_error *err)
{
    if (path[0] != '/') {
        return error_set(err, BANGER_EINVALID, "invalid %s '%s': it must be an absolute path", what,
                         show(path).text);
    }
    if (strlen(path) >= PATH_MAX || has_control(path) || has_odd_component(path)) {
        return error_set(
            err, BANGER_EINVALID,
            "invalid %s '%s': use no '.', '..' or empty component, no control character, and "
            "fewer than %d bytes",
            what, show(path).text, PATH_MAX);
    }
    return 0;
}

int name_check_boot_arg(const char *argument, banger_error *err)
{
    size_t length = strlen(argument);
    bool good = length >= 1 && length <= 255;
    for (size_t i = 0; good && i < length; i++) {
        /* ASCII alone: the kernel splits at the byte 0xa0 as well, a no-break space to its isspace()
         * (lib/ctype.c), which is a part of many a character in UTF-8. */
        good = argument[i] > ' ' && argument[i] < 0x7f && strchr("\"'\\", argument[i]) == NULL;
    }
    if (good) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid kernel argument '%s': use 1 to 255 characters of ASCII without white space, "
        "quotes, backslashes or control characters",
        show(argument).text);
}

int name_check_env(const char *assignment, banger_error *err)
{
    const char *equals = strchr(assignment, '=');
    bool good = equals != NULL && equals != assignment && !isdigit((unsigned char)assignment[0]);
    for (const char *at = assignment; good && at < equals; at++) {
        good = is_alnum(*at) || *at == '_';
    }
    if (good) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid environment setting '%s': use NAME=VALUE, with a NAME of letters, digits and "
        "'_' that does not start with a digit",
        show(assignment).text);
}

int name_check_label_pair(const char *assignment, banger_error *err)
{
    const char *equals = strchr(assignment, '=');
    char key[NAME_MAX_LENGTH + 1];
    if (equals != NULL && equals - assignment <= NAME_MAX_LENGTH && !has_control(equals) &&
        strlen(equals) <= 256) {
        memcpy(key, assignment, (size_t)(equals - assignment));
        key[equals - assignment] = '\0';
        return name_check_artifact("label", key, err);
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid label '%s': use KEY=VALUE, with a VALUE of at most 255 bytes and no control "
        "character",
        show(assignment).text);
}

/* A unit's factor by its spelling: what follows the digits. */
struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit size_units[] = {
    {"B", 1},
    {"K", INT64_C(1) << 10},
    {"M", INT64_C(1) << 20},
    {"G", INT64_C(1) << 30},
    {"T", INT64_C(1) << 40},
    {"KiB", INT64_C(1) << 10},
    {"MiB", INT64_C(1) << 20},
    {"GiB", INT64_C(1) << 30},
    {"TiB", INT64_C(1) << 40},
};

static const struct unit duration_units[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", INT64_C(60) * 1000},
    {"h", INT64_C(3600) * 1000},
};

#define UNIT_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Digits with an optional unit; -1 when it is not that or does not fit. */
static int scaled_parse(const char *text, const struct unit *units, size_t count, int64_t bare,
                        int64_t *value)
{
    if (!isdigit((unsigned char)text[0])) {
        return -1;
    }
    char *rest = NULL;
    errno = 0;
    int64_t number = strtoll(text, &rest, 10);
    int64_t factor = *rest == '\0' ? bare : 0;
    for (size_t i = 0; factor == 0 && i < count; i++) {
        if (strcasecmp(rest, units[i].suffix) == 0) {
            factor = units[i].factor;
        }
    }
    if (errno != 0 || factor == 0 || __builtin_mul_overflow(number, factor, value)) {
        return -1;
    }
    return 0;
}

void size_format(int64_t bytes, char text[16])
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    bool whole = value >= 100 || value == (double)(int64_t)value;
    (void)snprintf(text, 16, whole ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

int size_parse(const char *what, const char *text, int64_t unit, int64_t minimum, int64_t maximum,
               int64_t *bytes, banger_error *err)
{
    int64_t value = 0;
    if (scaled_parse(text, size_units, UNIT_COUNT(size_units), unit, &value) == 0 &&
        value >= minimum && value <= maximum) {
        *bytes = value;
        return 0;
    }
    char low[16];
    char high[16];
    size_format(minimum, low);
    size_format(maximum, high);
    return error_set(err, BANGER_EINVALID,
                     "invalid %s '%s': use a size from %s to %s, such as 512M or 2G", what,
                     show(text).text, low, high);
}

static void duration_format(int64_t ms, char text[24])
{
    bool whole = ms % 1000 == 0;
    (void)snprintf(text, 24, "%" PRId64 "%s", whole ? ms / 1000 : ms, whole ? "s" : "ms");
}

int duration_parse(const char *what, const char *text, int64_t minimum, int64_t maximum,
                   int64_t *ms, banger_error *err)
{
    int64_t value = 0;
    if (scaled_parse(text, duration_units, UNIT_COUNT(duration_units), 1000, &value) == 0 &&
        value >= minimum && value <= maximum) {
        *ms = value;
        return 0;
    }
    char low[24];
    char high[24];
    duration_format(minimum, low);
    duration_format(maximum, high);
    return error_set(err, BANGER_EINVALID,
                     "invalid %s '%s': use a duration from %s to %s, such as 500ms, 10s or 2m",
                     what, show(text).text, low, high);
}

int number_parse(const char *what, const char *text, int64_t minimum, int64_t maximum,
                 int64_t *value, banger_error *err)
{
    char *rest = NULL;
    errno = 0;
    int64_t number = strtoll(text, &rest, 10);
    bool digits =
        isdigit((unsigned char)text[0]) || (text[0] == '-' && isdigit((unsigned char)text[1]));
    if (!digits || *rest != '\0' || errno != 0 || number < minimum || number > maximum) {
        return error_set(err, BANGER_EINVALID,
                         "invalid %s '%s': use a whole number from %" PRId64 " to %" PRId64, what,
                         show(text).text, minimum, maximum);
    }
    *value = number;
    return 0;
}

void id_new(char id[ID_LENGTH + 1])
{
    unsigned char bytes[ID_LENGTH / 2];
    size_t have = 0;
    while (have < sizeof(bytes)) { /* getrandom of 16 bytes is whole; a signal may come before */
        ssize_t got = getrandom(bytes + have, sizeof(bytes) - have, 0);
        have += got > 0 ? (size_t)got : 0;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    }
}

bool id_is_prefix(const char *text)
{
    size_t length = strspn(text, "0123456789abcdef");
    return text[length] == '\0' && length >= 4 && length <= ID_LENGTH;
}
