/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "entry.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUEST_HOME "/root" /* whom the guest's files belong to */
#define PATH_SHOWN 255

/* Of the daemon's user; NULL: he has none. */
static const char *own_home(char buffer[PATH_MAX])
{
    const char *home = getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    char text[4096];

    if (home != NULL && home[0] == '/') {
        return home;
    }
    if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) != 0 || found == NULL) {
        return NULL;
    }
    (void)snprintf(buffer, PATH_MAX, "%s", found->pw_dir);
    return buffer;
}

/* Why a path cannot be used; NULL: it can, and is in `out` without "~" and a '/' at its end. */
static const char *expand(const char *text, const char *home, char out[PATH_MAX])
{
    bool in_home = text[0] == '~' && (text[1] == '/' || text[1] == '\0');
    size_t length;

    if (!in_home && text[0] != '/') {
        return "it must be absolute, or begin with ~/";
    }
    if (in_home && home == NULL) {
        return "the daemon's user has no home folder";
    }
    if (snprintf(out, PATH_MAX, "%s%s", in_home ? home : "", in_home ? text + 1 : text) >=
        PATH_MAX) {
        return "it is too long";
    }
    for (length = strlen(out); length > 1 && out[length - 1] == '/'; length--) {
        out[length - 1] = '\0';
    }
    for (const char *at = out; *at != '\0'; at += strcspn(at, "/")) {
        size_t part = strcspn(++at, "/");

        if (part == 0 || (part == 1 && at[0] == '.') ||
            (part == 2 && at[0] == '.' && at[1] == '.')) {
            return "'..', '.' and empty parts are not allowed in it";
        }
    }
    for (const char *at = out; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            return "control characters are not allowed in it";
        }
    }
    return NULL;
}

/* A number would be a trap: Lua knows no octal ones, so that 600 is not 0600. */
static bool parse_mode(const json_t *value, int *mode)
{
    const char *text = json_string_value(value);

    *mode = 0;
    if (value == NULL) {
        return true;
    }
    if (text == NULL || strspn(text, "01234567") != strlen(text) || strlen(text) < 3 ||
        strlen(text) > 4) {
        return false;
    }
    *mode = (int)strtol(text, NULL, 8);
    return *mode >= 1 && *mode <= 0777;
}

static int refuse(const struct banger_host *host, struct banger_call *call, size_t index,
                  const char *what, const json_t *value, const char *reason)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    int result = host->fail(call, BANGER_EINVALID, "entries[%zu]: %s %.*s: %s", index + 1, what,
                            PATH_SHOWN, text == NULL ? "" : text, reason);

    free(text);
    return result;
}

static int check_keys(const struct banger_host *host, struct banger_call *call, const json_t *value,
                      size_t index)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value)) {
        return refuse(host, call, index, "invalid entry", value,
                      "it must be a table, as in { host = \"~/.gitconfig\", guest = "
                      "\"/root/.gitconfig\", mode = \"0600\" }");
    }
    json_object_foreach ((json_t *)value, key, member) {
        if (strcmp(key, "host") != 0 && strcmp(key, "guest") != 0 && strcmp(key, "mode") != 0) {
            return host->fail(
                call, BANGER_EINVALID,
                "entries[%zu]: unknown key '%.63s': an entry has host, guest and mode", index + 1,
                key);
        }
    }
    return 0;
}

static int parse_path(const struct banger_host *host, struct banger_call *call, const json_t *value,
                      size_t index, const char *key, const char *home, char out[PATH_MAX])
{
    const json_t *member = json_object_get(value, key);
    const char *reason =
        json_is_string(member) ? expand(json_string_value(member), home, out) : "it must be a path";
    char what[32];

    (void)snprintf(what, sizeof(what), "invalid %s", key);
    return reason == NULL ? 0 : refuse(host, call, index, what, member, reason);
}

int entry_parse(const struct banger_host *host, struct banger_call *call, const json_t *value,
                size_t index, struct entry *entry)
{
    const json_t *mode = json_object_get(value, "mode");
    char buffer[PATH_MAX];

    if (check_keys(host, call, value, index) < 0 ||
        parse_path(host, call, value, index, "host", own_home(buffer), entry->host) < 0 ||
        parse_path(host, call, value, index, "guest", GUEST_HOME, entry->guest) < 0) {
        return -1;
    }
    return parse_mode(mode, &entry->mode)
               ? 0
               : refuse(host, call, index, "invalid mode", mode,
                        "it must be a text of three or four octal digits, at most \"0777\"");
}
