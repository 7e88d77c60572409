/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU program: where it is, and what it says of itself. Asked again when the file changes. */
#include "qemu.h"
#include "vmm_program.h"

#include <banger/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PROGRAM_PACKAGE "qemu-system-x86"
#define VERSION_MAJOR_MIN 7 /* -M microvm with acpi and rtc as we use them; 7.2 is Debian 12's */

static const struct vmm_program kind = {
    .name = "qemu-system-x86_64",
    .title = "QEMU",
    .variable = "BANGER_QEMU",
    .absent_hint = "install it: apt-get install " PROGRAM_PACKAGE,
    .wrong_hint = "correct plugins.qemu.binary or BANGER_QEMU, or install " PROGRAM_PACKAGE,
};

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

int program_find(const struct banger_host *host, struct banger_call *call,
                 struct qemu_program *program)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct qemu_program known;
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
