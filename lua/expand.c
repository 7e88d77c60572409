/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "expand.h"

#include "load.h"
#include "settings.h"
#include "source.h"

#include <banger/json.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LENGTH_MAX 31 /* as a plugin's */
#define SUFFIX ".lua"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

/* One call of expand. */
struct expanding {
    const struct banger_host *host;
    struct banger_call *call;
    json_t *settings;
};

/* -- Telling --------------------------------------------------------------------------------------- */

/* A name that a capability may have, for what is called like this and may not. */
static void safe_name(const char *wanted, char *name)
{
    size_t used = 0;

    if (!isalpha((unsigned char)wanted[0])) {
        used = (size_t)snprintf(name, NAME_LENGTH_MAX + 1, "hook-");
    }
    for (; *wanted != '\0' && used < NAME_LENGTH_MAX; wanted++) {
        char letter = (char)tolower((unsigned char)*wanted);

        name[used++] = strchr(LOWER "0123456789", letter) != NULL ? letter : '-';
    }
    name[used] = '\0';
}

/* Tells of a script, or a folder, that it cannot be used: a capability that is broken is in the way of starts,
 * which would otherwise go on without what the site wants of them. */
static int provide_broken(const struct expanding *expanding, const char *called, const char *origin,
                          const char *message, const char *hint)
{
    char name[NAME_LENGTH_MAX + 1];
    char *text;
    int result;

    safe_name(called, name);
    text = banger_json_text(expanding->host, expanding->call,
                            json_pack("{s:s, s:s, s:{s:s, s:s}}", "name", name, "origin", origin,
                                      "error", "message", message, "hint", hint));
    result = text != NULL ? expanding->host->provide(expanding->call, text) : -1;
    free(text);
    return result;
}

/* -- One script ------------------------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    size_t length = strlen(name);

    return length >= 1 && length <= NAME_LENGTH_MAX && strchr(LOWER, name[0]) != NULL &&
           strspn(name, LOWER "0123456789-") == length;
}

/* Two of one name are the host's business, as with plugins: the later one is broken. */
static int provide_loaded(const struct expanding *expanding, const char *folder, const char *file)
{
    char *told = load_script(expanding->host, expanding->call, folder, file, expanding->settings);
    int result;

    if (told == NULL) {
        return expanding->host->fail(expanding->call, BANGER_EINTERNAL, "no memory for %s/%s",
                                     folder, file);
    }
    result = expanding->host->provide(expanding->call, told);
    free(told);
    return result;
}

static int provide_file(const struct expanding *expanding, const char *folder, const char *file)
{
    char name[NAME_MAX + 1];
    char origin[PATH_MAX];
    char why[NAME_MAX + 256];

    (void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(SUFFIX)), file);
    if (is_name(name)) {
        return provide_loaded(expanding, folder, file);
    }
    (void)snprintf(origin, sizeof(origin), "%s/%s", folder, file);
    (void)snprintf(
        why, sizeof(why),
        "invalid file name \"%s\": use a lower-case letter, then letters, digits and '-', "
        "at most %d, and '" SUFFIX "'",
        file, NAME_LENGTH_MAX);
    return provide_broken(expanding, name, origin, why, "rename it");
}

/* -- Folders --------------------------------------------------------------------------------------- */

static int is_script(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
           strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* alphasort would ask the locale */
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static int provide_folder(const struct expanding *expanding, const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_script, compare);
    int result = 0;

    if (count < 0) {
        char why[PATH_MAX + 128];

        (void)snprintf(why, sizeof(why), "cannot read %s: %s", folder, strerror(errno));
        return provide_broken(expanding, last_part(folder), folder, why, "");
    }
    for (int i = 0; i < count; i++) {
        if (result == 0) {
            result = provide_file(expanding, folder, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* A folder that is named must be there; one that is only looked for need not. */
static int visit_folder(const struct expanding *expanding, const char *folder, bool named)
{
    char why[SOURCE_WHY_MAX];
    int checked = source_check_folder(folder, why, sizeof(why));

    if (checked > 0) {
        return provide_folder(expanding, folder);
    }
    if (checked < 0) {
        return provide_broken(
            expanding, last_part(folder), folder, why,
            "whoever can write there can have banger run what they like: use chown, "
            "and chmod go-w");
    }
    if (named) {
        (void)snprintf(why, sizeof(why), "there is no folder %.400s", folder);
        return provide_broken(expanding, last_part(folder), folder, why,
                              "make it, or change plugins.lua.dirs in config.lua");
    }
    return 0;
}

/* hooks.d in one of banger's folders; "": it has none. */
static int visit_hooks_of(const struct expanding *expanding, const char *dir)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof(folder), "%s/hooks.d", dir);
    return *dir != '\0' ? visit_folder(expanding, folder, false) : 0;
}

/* The site's come first: none of a user's own can take the place of one. */
static int visit_folders(const struct expanding *expanding)
{
    const char *config = expanding->host->get_string(expanding->call, "host.config_dir", "");
    const char *site = expanding->host->get_string(expanding->call, "host.site_dir", "");
    json_auto_t *dirs = banger_json_get(expanding->host, expanding->call, "config.dirs");
    size_t index;
    json_t *dir;

    if (strcmp(site, config) != 0 && visit_hooks_of(expanding, site) < 0) {
        return -1;
    }
    if (visit_hooks_of(expanding, config) < 0) {
        return -1;
    }
    json_array_foreach (dirs, index, dir) {
        if (visit_folder(expanding, json_string_value(dir), true) < 0) {
            return -1;
        }
    }
    return 0;
}

/* One script, wherever it lies: `banger hook check` and `hook test` ask for it. */
static int visit_file(const struct expanding *expanding, const char *path)
{
    char why[SOURCE_WHY_MAX] = "its folder is not there";
    char folder[PATH_MAX];
    const char *file = last_part(path);
    size_t length = strlen(file);
    size_t before = (size_t)(file - path - 1);

    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(before > 0 ? before : 1), path); /* "/" */
    if (length <= strlen(SUFFIX) || strcmp(file + length - strlen(SUFFIX), SUFFIX) != 0) {
        return provide_broken(expanding, file, path, "the file's name does not end in '" SUFFIX "'",
                              "rename it");
    }
    if (source_check_folder(folder, why, sizeof(why)) <= 0) {
        return provide_broken(expanding, file, path, why, "");
    }
    return provide_file(expanding, folder, file);
}

int expand_scripts(const struct banger_host *host, struct banger_call *call)
{
    struct expanding expanding = {.host = host, .call = call};
    const char *only = host->get_string(call, "trial.script", "");
    int result;

    if (!BANGER_HAS(host, provide)) {
        return host->fail(call, BANGER_EUNSUPPORTED, "this banger has no place for scripts");
    }
    expanding.settings = settings_read(host, call);
    if (expanding.settings == NULL) {
        return -1;
    }
    result = only[0] == '/' ? visit_file(&expanding, only) : visit_folders(&expanding);
    json_decref(expanding.settings);
    return result;
}
