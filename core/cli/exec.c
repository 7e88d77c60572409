/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exec.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "base/str.h"
#include "cli/capture.h"
#include "cli/output.h"
#include "guest/session.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

int exec_check_options(const struct cli *cli, banger_error *err)
{
    const struct args *args = &cli->args;
    if (args_has(args, "tty") && args_has(args, "no-tty")) {
        return error_set(err, BANGER_EINVALID, "--tty and --no-tty exclude each other");
    }
    if (cli->json && args_has(args, "tty")) {
        return error_set(err, BANGER_EINVALID,
                         "--tty and --json exclude each other: a terminal has one stream for all");
    }
    if (cli->json && args->guest_argv == NULL && !args_has(args, "detach")) {
        (void)error_set(err, BANGER_EINVALID, "--json needs a command: a shell has no result");
        return error_hint(err, "put the command behind '--'");
    }
    return 0;
}

static bool wants_tty(const struct cli *cli)
{
    if (args_has(&cli->args, "tty")) {
        return true;
    }
    return !cli->json && !args_has(&cli->args, "no-tty") && isatty(STDIN_FILENO) == 1 &&
           isatty(STDOUT_FILENO) == 1;
}

static int add_argv(const struct args *args, json_t *params, banger_error *err)
{
    json_t *argv = json_array();
    (void)json_object_set_new(params, "argv", argv);
    if (args->guest_argv == NULL) {
        (void)json_array_append_new(argv, json_string("/bin/sh"));
        (void)json_array_append_new(argv, json_string("-l"));
        return 0;
    }
    for (size_t i = 0; args->guest_argv[i] != NULL; i++) {
        json_t *word = json_string(args->guest_argv[i]);
        if (word == NULL) {
            return error_set(err, BANGER_EINVALID,
                             "invalid word %zu of the command: it is not "
                             "UTF-8 text",
                             i + 1);
        }
        (void)json_array_append_new(argv, word);
    }
    return 0;
}

static void add_terminal(json_t *params)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0) {
        size = (struct winsize){.ws_row = 24, .ws_col = 80}; /* a VT100's */
    }
    (void)json_object_set_new(params, "tty", json_true());
    (void)json_object_set_new(params, "rows", json_integer(size.ws_row));
    (void)json_object_set_new(params, "columns", json_integer(size.ws_col));
}

json_t *exec_params(const struct cli *cli, banger_error *err)
{
    const struct args *args = &cli->args;
    AUTO_JSON json_t *params = json_object();
    if (add_argv(args, params, err) < 0) {
        return NULL;
    }
    if (wants_tty(cli)) {
        add_terminal(params);
    }
    (void)json_object_set_new(params, "stdin", json_true());
    if (args_has(args, "user")) {
        (void)json_object_set_new(params, "user", json_string(args_text(args, "user")));
    }
    if (args_has(args, "workdir")) {
        (void)json_object_set_new(params, "cwd", json_string(args_text(args, "workdir")));
    }
    return STEAL(params);
}

/* The guest's programs draw for the terminal that we have. */
static void add_term(json_t *params)
{
    const char *term = getenv("TERM");
    AUTO_FREE char *pair = str_format("TERM=%s", str_or(term, ""));
    json_t *text = term != NULL ? json_string(pair) : NULL;
    json_t *env = json_object_get(params, "env");
    if (text == NULL) {
        return;
    }
    if (env == NULL) {
        env = json_array();
        (void)json_object_set_new(params, "env", env);
    }
    (void)json_array_insert_new(env, 0, text); /* one that the user gives comes later and counts */
}

static int run_captured(const char *vm, int stream, banger_error *err)
{
    struct capture out;
    struct capture other;
    if (capture_open(&out, "standard output", err) < 0) {
        return -1;
    }
    if (capture_open(&other, "standard error", err) < 0) {
        capture_close(&out);
        return -1;
    }
    struct session_io io = {
        .in = STDIN_FILENO, .out = out.fd, .err = other.fd, .forward_signals = true};
    int status = session_run(stream, &io, err);
    bool whole = capture_check(&out, err) == 0 && capture_check(&other, err) == 0;
    if (status >= 0 && whole) {
        AUTO_JSON json_t *result =
            json_pack("{s:s, s:i, s:o, s:o}", "vm", vm, "status", status, "stdout",
                      capture_text(&out), "stderr", capture_text(&other));
        output_json(result);
    }
    capture_close(&out);
    capture_close(&other);
    return whole ? status : -1;
}

int exec_run(struct cli *cli, const char *vm, json_t *params, banger_error *err)
{
    bool tty = json_get_bool(params, "tty", false);
    (void)json_object_set_new(params, "vm", json_string(vm));
    if (tty) {
        add_term(params);
    }
    AUTO_CLOSE int stream = -1;
    AUTO_JSON json_t *result = cli_call_fd(cli, "vm.exec", params, &stream, err);
    if (result == NULL) {
        return -1;
    }
    if (cli->json) {
        return run_captured(vm, stream, err);
    }
    (void)fflush(stdout);
    struct session_io io = {
        .in = STDIN_FILENO,
        .out = STDOUT_FILENO,
        .err = STDERR_FILENO,
        .tty = tty && isatty(STDIN_FILENO) == 1,
        .forward_signals = true,
    };
    int status = session_run(stream, &io, err);
    if (status < 0 && !output_is_read(STDOUT_FILENO)) {
        return EXIT_SIGNAL_BASE + SIGPIPE; /* as of a program here; nobody wants to be told */
    }
    return status;
}
