/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU program: where it is, and what it says of itself. Asked again when the file changes. */
#include "qemu.h"

#include <banger/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_NAME "qemu-system-x86_64"
#define PROGRAM_PACKAGE "qemu-system-x86"
#define VERSION_MAJOR_MIN 7 /* -M microvm with acpi and rtc as we use them; 7.2 is Debian 12's */

/* The first executable of that name in PATH. */
static bool search_path(char *path, size_t size)
{
    const char *folders = getenv("PATH");
    char copy[4096];
    char *rest = NULL;

    (void)snprintf(copy, sizeof(copy), "%s:/usr/bin:/usr/local/bin",
                   folders != NULL ? folders : "");
    for (char *folder = strtok_r(copy, ":", &rest); folder != NULL;
         folder = strtok_r(NULL, ":", &rest)) {
        int length = snprintf(path, size, "%s/" PROGRAM_NAME, folder);

        if (folder[0] == '/' && length < (int)size && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static int locate(const struct banger_host *host, struct banger_call *call, char *path, size_t size)
{
    const char *wish = host->get_string(call, "config.binary", "");
    const char *environment = getenv("BANGER_QEMU");

    if (*wish == '\0' && environment != NULL) {
        wish = environment;
    }
    if (*wish == '\0') {
        if (search_path(path, size)) {
            return 0;
        }
        host->hint(call, "install it: apt-get install " PROGRAM_PACKAGE);
        return host->fail(call, BANGER_EUNSUPPORTED, PROGRAM_NAME " is not installed");
    }
    if (wish[0] != '/' || snprintf(path, size, "%s", wish) >= (int)size) {
        return host->fail(call, BANGER_EINVALID,
                          "the QEMU program '%.200s' is not an absolute path", wish);
    }
    if (access(path, X_OK) < 0) {
        host->hint(call, "correct plugins.qemu.binary or BANGER_QEMU, or install " PROGRAM_PACKAGE);
        return host->fail(call, BANGER_EUNSUPPORTED, "the QEMU program %s cannot be executed",
                          path);
    }
    return 0;
}

static int ask_version(const struct banger_host *host, struct banger_call *call,
                       struct qemu_program *program)
{
    json_auto_t *result =
        banger_json_run(host, call, json_pack("[s, s]", program->path, "-version"));
    const char *text = "";

    if (result == NULL) {
        return -1;
    }
    (void)json_unpack(result, "{s:s}", "stdout", &text);
    if (sscanf(text, "QEMU emulator version %d.%d", &program->major, &program->minor) != 2) {
        return host->fail(call, BANGER_EUNSUPPORTED, "%s does not say which version of QEMU it is",
                          program->path);
    }
    if (program->major < VERSION_MAJOR_MIN) {
        host->hint(call, "install a newer " PROGRAM_PACKAGE ", or name one in plugins.qemu.binary");
        return host->fail(call, BANGER_EUNSUPPORTED, "%s is version %d.%d; %d.0 or later is needed",
                          program->path, program->major, program->minor, VERSION_MAJOR_MIN);
    }
    return 0;
}

/* QEMU reads -sandbox before it lists its machines: one question for two answers. */
static int ask_machines(const struct banger_host *host, struct banger_call *call,
                        struct qemu_program *program, bool sandbox)
{
    json_t *argv = sandbox
                       ? json_pack("[s, s, s, s, s]", program->path, "-sandbox", "on", "-M", "help")
                       : json_pack("[s, s, s]", program->path, "-M", "help");
    json_auto_t *result = banger_json_run(host, call, argv);
    const char *text = "";
    int status = -1;

    if (result == NULL) {
        return -1;
    }
    (void)json_unpack(result, "{s:i, s:s}", "status", &status, "stdout", &text);
    program->sandbox = sandbox && status == 0;
    if (status != 0 && sandbox) {
        return ask_machines(host, call, program, false);
    }
    if (status != 0 || strstr(text, "\nmicrovm ") == NULL) {
        return host->fail(call, BANGER_EUNSUPPORTED, "%s has no machine 'microvm'", program->path);
    }
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int program_find(const struct banger_host *host, struct banger_call *call,
                 struct qemu_program *program)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct qemu_program known;
    static struct stat known_file;
    struct stat file;
    int result = 0;

    memset(program, 0, sizeof(*program));
    if (locate(host, call, program->path, sizeof(program->path)) < 0) {
        return -1;
    }
    if (stat(program->path, &file) < 0) {
        return host->fail(call, BANGER_EUNSUPPORTED, "%s has gone", program->path);
    }
    (void)pthread_mutex_lock(&lock);
    if (strcmp(known.path, program->path) == 0 && same_file(&known_file, &file)) {
        *program = known;
    } else if (ask_version(host, call, program) < 0 ||
               ask_machines(host, call, program, true) < 0) {
        result = -1;
    } else {
        known = *program;
        known_file = file;
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}
