/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate/child.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"
#include "capability/descriptor.h"
#include "capability/isolate_wire.h"
#include "capability/map.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

static struct descriptor loaded;
static int64_t memory;
static bool has_started; /* `start` has run, or there is none */
static bool has_stopped;

/* The socket came as the standard input. It goes where a plugin that closes the first descriptors, or counts
 * them, does not meet it. */
static int take_socket(banger_error *err)
{
    int type = 0;
    socklen_t size = sizeof(type);
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        return error_set(err, BANGER_EINVALID,
                         "it is run by banger, for plugins with isolate = true");
    }
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, CONFINE_FILES - 1);
    if (null_fd < 0 || high < 0 || dup2(null_fd, STDIN_FILENO) < 0) {
        return error_sys(err, errno, "cannot arrange the descriptors");
    }
    link_open(high);
    return 0;
}

static int load(const char *path, banger_error *err)
{
    const struct banger_plugin *given = map_open(path, NULL, err);
    return given != NULL ? descriptor_adopt(given, &loaded, err) : -1;
}

/* What the order names; NULL: it is none that this plugin has. */
static banger_hook ordered(const json_t *order, int *function)
{
    const char *name = json_string_value(json_array_get(order, 0));
    *function = name != NULL ? wire_function_find(name) : -1;
    if (*function < 0) {
        return NULL;
    }
    const banger_hook *place = wire_function_place(&loaded.plugin, (enum wire_function) * function);
    return place != NULL ? *place : NULL;
}

static void serve(void)
{
    for (;;) {
        AUTO_JSON json_t *order = link_receive(false);
        int function = -1;
        banger_hook hook = ordered(order, &function);
        if (hook == NULL) {
            return;
        }
        int result = host_run(hook);
        has_started = has_started || (function == WIRE_plugin_start && result == 0);
        has_stopped = has_stopped || function == WIRE_plugin_stop;
        (void)link_send(json_pack("[s, i, b]", "return", result, (int)confine_is_tired(memory)));
    }
}

int main(int argc, char **argv)
{
    banger_error err = BANGER_ERROR_INIT;
    if (argc != 3 || number_parse("memory", argv[1], 1, INT64_MAX, &memory, &err) < 0 ||
        take_socket(&err) < 0) {
        (void)fprintf(stderr, "banger-plugin: %s\n",
                      err.code != 0 ? err.message : "usage: banger-plugin MEMORY FILE");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);         /* as in the daemon */
    (void)mallopt(M_ARENA_MAX, 1);          /* each is 64 MiB of address space */
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* what it prints is read line by line */
    if (confine(memory, &err) < 0 || load(argv[2], &err) < 0) {
        (void)link_send(describe_error(&err));
        _exit(1);
    }
    (void)link_send(describe_plugin(&loaded.plugin));
    has_started = loaded.plugin.start == NULL;
    serve();
    if (has_started && !has_stopped && loaded.plugin.stop != NULL) {
        host_run_alone(loaded.plugin.stop);
    }
    _exit(0); /* without the plugin's destructors: in the daemon they do not run either */
}
