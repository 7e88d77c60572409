/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Firecracker program: where it is, and which version. Asked again when the file changes. */
#include "firecracker.h"
#include "vmm_program.h"
#include "vmm_start.h"

#include <banger/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RELEASES "https://github.com/firecracker-microvm/firecracker/releases"

/* 1.8 is the first whose devices Debian's kernels find: through ACPI (Firecracker's CHANGELOG). */
#define MAJOR_MIN 1
#define MINOR_MIN 8

static const struct vmm_program kind = {
    .name = "firecracker",
    .title = "Firecracker",
    .variable = "BANGER_FIRECRACKER",
    .absent_hint = "put a release of " RELEASES " into PATH, or set plugins.firecracker.binary; "
                   "without one, qemu is used",
    .wrong_hint = "correct plugins.firecracker.binary or BANGER_FIRECRACKER",
};

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

int program_find(const struct banger_host *host, struct banger_call *call, struct program *program)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct program known;
    static struct stat known_file;
    struct stat file;
    int result = 0;

    memset(program, 0, sizeof(*program));
    if (vmm_program_locate(host, call, &kind, program->path, sizeof(program->path), &file) < 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&lock);
    if (strcmp(known.path, program->path) == 0 && vmm_program_is_same(&known_file, &file)) {
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
