/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "guest/copy.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct copy {
    const char *host_path;
    char *vm;
    char *guest_path;
    bool to_guest;
};

static void copy_free(struct copy *copy)
{
    free(copy->vm);
    free(copy->guest_path);
}

static void take_guest_end(struct copy *copy, const char *text, int vm_length, const char *path)
{
    copy->vm = str_format("%.*s", vm_length, text);
    copy->guest_path = xstrdup(path);
    /* What is a folder in the guest is the agent's to find out; the protocol's paths end without. */
    size_t length = strlen(path);
    while (length > 1 && copy->guest_path[length - 1] == '/') {
        copy->guest_path[--length] = '\0';
    }
}

static int take_ends(const struct args *args, struct copy *copy, banger_error *err)
{
    const char *source = args_word(args, 0);
    const char *destination = args_word(args, 1);
    const char *from = NULL;
    const char *to = NULL;
    int from_vm = value_copy_split(source, &from);
    int to_vm = value_copy_split(destination, &to);
    if ((from_vm == 0) == (to_vm == 0)) {
        (void)error_set(err, BANGER_EINVALID, "one of the two must be VM:PATH, and only one");
        return error_hint(err, "try: banger vm cp FILE NAME:/root");
    }
    copy->to_guest = to_vm != 0;
    copy->host_path = copy->to_guest ? from : to;
    take_guest_end(copy, copy->to_guest ? destination : source, copy->to_guest ? to_vm : from_vm,
                   copy->to_guest ? to : from);
    if (copy->to_guest && access(from, R_OK) < 0) {
        return error_set(err, BANGER_EINVALID, "invalid SOURCE '%s': %s", from, strerror(errno));
    }
    return 0;
}

/* Most of what is free where the copy goes: a guest must not be able to fill this machine. */
static int room_for(const char *path, int64_t *bytes, banger_error *err)
{
    struct statvfs info;
    int status = statvfs(path, &info);
    if (status < 0 && errno == ENOENT) { /* the copy's own name: its folder counts */
        AUTO_FREE char *folder = xstrdup(path);
        char *slash = strrchr(folder, '/');
        if (slash != NULL) {
            slash[slash == folder] = '\0';
        }
        status = statvfs(slash != NULL ? folder : ".", &info);
    }
    if (status < 0) {
        return error_set(err, BANGER_EINVALID, "invalid DESTINATION '%s': %s", path,
                         strerror(errno));
    }
    *bytes = (int64_t)info.f_bavail * (int64_t)info.f_frsize / 10 * 9;
    return 0;
}

static int run_copy(struct cli *cli, const struct copy *copy, banger_error *err)
{
    int64_t room = 0;
    if (!copy->to_guest && room_for(copy->host_path, &room, err) < 0) {
        return -1;
    }
    json_t *params = json_pack("{s:s, s:s, s:s}", "vm", copy->vm, "direction",
                               copy->to_guest ? "in" : "out", "path", copy->guest_path);
    AUTO_CLOSE int stream = -1;
    AUTO_JSON json_t *result = cli_call_fd(cli, "vm.tar", params, &stream, err);
    if (result == NULL) {
        return -1;
    }
    signals_release(); /* as with cp(1), what is there when it is interrupted stays */
    return copy->to_guest ? copy_in(STEAL_FD(stream), copy->host_path, err)
                          : copy_out(STEAL_FD(stream), copy->host_path, room, err);
}

int vm_cp(struct cli *cli, banger_error *err)
{
    AUTO(copy_free) struct copy copy = {0};
    if (take_ends(&cli->args, &copy, err) < 0 || run_copy(cli, &copy, err) < 0) {
        return -1;
    }
    if (cli->json) {
        AUTO_JSON json_t *done = json_pack("{s:s, s:s}", "source", args_word(&cli->args, 0),
                                           "destination", args_word(&cli->args, 1));
        output_json(done);
    }
    return EXIT_DONE;
}
