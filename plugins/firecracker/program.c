/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Firecracker program: where it is, and which version. Asked again when the file changes. */
#include "firecracker.h"
#include "vmm_start.h"

#include <banger/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_NAME "firecracker"
#define RELEASES "https://github.com/firecracker-microvm/firecracker/releases"

/* 1.8 is the first whose devices Debian's kernels find: through ACPI (Firecracker's CHANGELOG). */
#define MAJOR_MIN 1
#define MINOR_MIN 8

/* The first executable of that name in PATH. */
static bool search_path(char path[PATH_MAX])
{
    const char *folders = getenv("PATH");
    char copy[4096];
    char *rest = NULL;

    (void)snprintf(copy, sizeof(copy), "%s:/usr/bin:/usr/local/bin",
                   folders != NULL ? folders : "");
    for (char *folder = strtok_r(copy, ":", &rest); folder != NULL;
         folder = strtok_r(NULL, ":", &rest)) {
        int length = snprintf(path, PATH_MAX, "%s/" PROGRAM_NAME, folder);

        if (folder[0] == '/' && length < PATH_MAX && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static int locate(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX])
{
    const char *wish = host->get_string(call, "config.binary", "");
    const char *environment = getenv("BANGER_FIRECRACKER");

    if (*wish == '\0' && environment != NULL) {
        wish = environment;
    }
    if (*wish == '\0') {
        if (search_path(path)) {
            return 0;
        }
        host->hint(call, "put a release of " RELEASES " into PATH, or set "
                         "plugins.firecracker.binary; without one, qemu is used");
        return host->fail(call, BANGER_EUNSUPPORTED, PROGRAM_NAME " is not installed");
    }
    if (wish[0] != '/' || snprintf(path, PATH_MAX, "%s", wish) >= PATH_MAX) {
        return host->fail(call, BANGER_EINVALID,
                          "the Firecracker program '%.200s' is not an absolute path", wish);
    }
    if (access(path, X_OK) < 0) {
        host->hint(call, "correct plugins.firecracker.binary or BANGER_FIRECRACKER");
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "the Firecracker program %s cannot be executed", path);
    }
    return 0;
}

/* "Firecracker v1.13.0" in the first line; whatever follows is kept, for people. */
static int ask_version(const struct banger_host *host, struct banger_call *call,
                       struct program *program)
{
    json_auto_t *result =
        banger_json_run(host, call, json_pack("[s, s]", program->path, "--version"));
    const char *text = "";

    if (result == NULL) {
        return -1;
    }
    (void)json_unpack(result, "{s:s}", "stdout", &text);
    if (sscanf(text, "Firecracker v%d.%d", &program->major, &program->minor) != 2) {
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "%s does not say which version of Firecracker it is", program->path);
    }
    (void)snprintf(program->version, sizeof(program->version), "%.*s", (int)strcspn(text, "\n"),
                   text);
    vmm_start_make_printable(program->version, sizeof(program->version));
    if (program->major < MAJOR_MIN || (program->major == MAJOR_MIN && program->minor < MINOR_MIN)) {
        host->hint(call, "install a newer one: " RELEASES);
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "%s is version %d.%d; %d.%d or later is needed", program->path,
                          program->major, program->minor, MAJOR_MIN, MINOR_MIN);
    }
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int program_find(const struct banger_host *host, struct banger_call *call, struct program *program)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct program known;
    static struct stat known_file;
    struct stat file;
    int result = 0;

    memset(program, 0, sizeof(*program));
    if (locate(host, call, program->path) < 0) {
        return -1;
    }
    if (stat(program->path, &file) < 0) {
        return host->fail(call, BANGER_EUNSUPPORTED, "%s has gone", program->path);
    }
    (void)pthread_mutex_lock(&lock);
    if (strcmp(known.path, program->path) == 0 && same_file(&known_file, &file)) {
        *program = known;
    } else if (ask_version(host, call, program) < 0) {
        result = -1;
    } else {
        known = *program;
        known_file = file;
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}
