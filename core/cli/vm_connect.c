/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. Where the VM has an address of its own on this machine, a connection to that, past the daemon.
 * 2. Otherwise, or where nothing answers there, the guest's agent connects to the guest's loopback,
 *    and the bytes come through its channel.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/listener.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/tcp.h"
#include "guest/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

/* Standard output as a descriptor that can be closed for its reader to see the end: what is left in
 * its place is written to at exit. */
static int take_stdout(banger_error *err)
{
    (void)fflush(stdout);
    AUTO_CLOSE int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (out < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0) {
        return error_sys(err, errno, "cannot take standard output");
    }
    return STEAL_FD(out);
}

static int through_agent(struct cli *cli, const char *vm, unsigned port, banger_error *err)
{
    AUTO_CLOSE int stream = -1;
    AUTO_JSON json_t *result = cli_call_fd(
        cli, "vm.connect", json_pack("{s:s, s:i}", "vm", vm, "port", (int)port), &stream, err);
    if (result == NULL) {
        return -1;
    }
    signals_release();
    AUTO_FREE char *why = NULL;
    struct session_io io = {
        .in = STDIN_FILENO, .err = STDERR_FILENO, .ends_out = true, .why = &why};
    io.out = take_stdout(err);
    if (io.out < 0) {
        return -1;
    }
    int status = session_run(stream, &io, err);
    if (status < 0 && !output_is_read(io.out)) {
        return EXIT_SIGNAL_BASE + SIGPIPE; /* as of cat(1); nobody wants to be told */
    }
    if (status > 0) {
        (void)error_set(err, BANGER_EGUEST, "%s", why != NULL ? why : "the connection broke");
        return error_hint(err, "what listens in it: banger vm ports %s", vm);
    }
    return status;
}

static int straight(int socket, banger_error *err)
{
    signals_release();
    int out = take_stdout(err);
    if (out < 0) {
        (void)close(socket);
        return -1;
    }
    return tcp_carry(socket, STDIN_FILENO, out, err);
}

/* The guest's own address, where this machine has a route to it; NULL: it has none. */
static const char *address_of(const json_t *view)
{
    bool bridged = str_equal(json_get_string(view, "providers.network", NULL), "bridge");
    const json_t *first = json_array_get(json_object_get(view, "addresses"), 0);
    return bridged ? json_string_value(first) : NULL;
}

int vm_connect(struct cli *cli, banger_error *err)
{
    AUTO_FREE char *vm = value_vm_of_host(args_word(&cli->args, 0));
    unsigned port = (unsigned)value_number(args_word(&cli->args, 1));
    AUTO_JSON json_t *view = cli_call(cli, "vm.show", json_pack("{s:s}", "vm", vm), err);
    if (view == NULL) {
        return -1;
    }
    const char *young = args_text(&cli->args, "wait");
    if (young != NULL && listener_await(cli, vm, port, value_milliseconds(young), err) < 0) {
        return -1;
    }
    const char *address = address_of(view);
    int socket = address != NULL ? tcp_connect(address, port) : -1;
    return socket >= 0 ? straight(socket, err) : through_agent(cli, vm, port, err);
}
