/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vm ssh`: becomes OpenSSH's client, with nothing of the user's configuration (-F none) and all that
 * it needs as options. What is known to fail is said before, since ssh could only say that the
 * connection was closed.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/process.h"
#include "cli/handlers.h"
#include "cli/listener.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/ssh.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SSH_PORT 22

/* -- What would fail --------------------------------------------------------------------------- */

static int check_server(struct cli *cli, const char *vm, int64_t port, banger_error *err)
{
    int found = listener_await(cli, vm, (unsigned)port, value_milliseconds(LISTENER_SSH_WAIT), err);
    if (found != 0) {
        return found > 0 ? 0 : -1;
    }
    (void)error_set(err, BANGER_EGUEST, "nothing listens on port %d in VM '%s': no ssh server",
                    (int)port, vm);
    return error_hint(err, "an image with openssh-server has one; 'banger vm exec %s' needs none",
                      vm);
}

static int check_key(const char *key, banger_error *err)
{
    if (access(key, R_OK) == 0) {
        return 0;
    }
    (void)error_sys(err, errno, "cannot read the ssh key %s", key);
    return errno == ENOENT
               ? error_hint(err, "it is made when a VM starts and ssh-keygen is there: package "
                                 "openssh-client; then restart the VM")
               : error_hint(err, "only the daemon's own user can use it");
}

/* -- The argument vector ----------------------------------------------------------------------- */

static void add(json_t *argv, const char *word)
{
    (void)json_array_append_new(argv, json_string(word));
}

static void add_option(void *context, const char *name, const char *value)
{
    AUTO_FREE char *pair = str_format("%s=%s", name, value);
    add(context, "-o");
    add(context, pair);
}

static void add_each(json_t *argv, const char *letter, json_t *values)
{
    size_t i = 0;
    json_t *value = NULL;
    json_array_foreach (values, i, value) {
        add(argv, letter);
        add(argv, json_string_value(value));
    }
    json_decref(values);
}

/* ssh joins the words with blanks and the guest's shell takes that apart again: one word is for that
 * shell, several arrive as they are. */
static int add_command(json_t *argv, char *const *words, banger_error *err)
{
    if (words == NULL || words[0] == NULL) {
        return 0;
    }
    add(argv, "--"); /* ssh takes options behind the host too */
    for (size_t i = 0; words[i] != NULL; i++) {
        AUTO_FREE char *word = words[1] == NULL ? xstrdup(words[i]) : ssh_shell_word(words[i]);
        if (json_array_append_new(argv, json_string(word)) < 0) {
            return error_set(err, BANGER_EINVALID,
                             "invalid word %zu of the command: it is not UTF-8 text", i + 1);
        }
    }
    return 0;
}

static json_t *make_argv(const struct cli *cli, const struct ssh_paths *paths, const char *program,
                         const char *vm, banger_error *err)
{
    const struct args *args = &cli->args;
    AUTO_JSON json_t *argv = json_array();
    AUTO_FREE char *host = str_format("%s.vm", vm);
    add(argv, program);
    add(argv, "-F");
    add(argv, "none");
    add_each(argv, "-o", args_array(args, "option")); /* the first word for an option counts */
    if (ssh_options(paths, str_or(args_text(args, "user"), "root"), add_option, argv, err) < 0) {
        return NULL;
    }
    add_option(argv, "HostKeyAlias", host);
    if (args_has(args, "port")) {
        add_option(argv, "Port", args_text(args, "port"));
    }
    add_each(argv, "-L", args_array(args, "forward"));
    if (args_has(args, "tty")) {
        add(argv, "-t");
    }
    add(argv, host);
    return add_command(argv, args->guest_argv, err) < 0 ? NULL : STEAL(argv);
}

static void print_argv(const struct cli *cli, const json_t *argv)
{
    if (cli->json) {
        AUTO_JSON json_t *result = json_pack("{s:O}", "argv", (json_t *)argv);
        output_json(result);
        return;
    }
    size_t i = 0;
    json_t *word = NULL;
    json_array_foreach ((json_t *)argv, i, word) {
        AUTO_FREE char *quoted = ssh_shell_word(json_string_value(word));
        (void)printf("%s%s", i > 0 ? " " : "", quoted);
    }
    (void)printf("\n");
}

/* Does not return unless it fails. */
static int become(struct cli *cli, const json_t *argv, banger_error *err)
{
    size_t count = json_array_size(argv);
    AUTO_FREE char **words = xcalloc(count + 1, sizeof(*words));
    for (size_t i = 0; i < count; i++) {
        words[i] = (char *)json_string_value(json_array_get(argv, i));
    }
    rpc_client_close(cli->client);
    cli->client = NULL;
    (void)fflush(stdout);
    signals_release();
    (void)signal(SIGPIPE, SIG_DFL); /* exec would keep our ignoring it */
    (void)execv(words[0], words);
    return error_sys(err, errno, "cannot execute %s", words[0]);
}

static int ssh_to(struct cli *cli, const char *program, const struct ssh_paths *paths,
                  const char *vm, banger_error *err)
{
    AUTO_JSON json_t *argv = make_argv(cli, paths, program, vm, err);
    if (argv == NULL) {
        return -1;
    }
    if (args_has(&cli->args, "print") || cli->json) {
        print_argv(cli, argv);
        return EXIT_DONE;
    }
    const char *port = args_text(&cli->args, "port");
    if (check_server(cli, vm, port != NULL ? value_number(port) : SSH_PORT, err) < 0 ||
        check_key(paths->key, err) < 0) {
        return -1;
    }
    return become(cli, argv, err);
}

int vm_ssh(struct cli *cli, banger_error *err)
{
    AUTO_FREE char *program = process_find_program("ssh");
    if (program == NULL) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "there is no ssh on this machine");
        return error_hint(err, "install OpenSSH's client: apt-get install openssh-client");
    }
    AUTO_FREE char *given = value_vm_of_host(args_word(&cli->args, 0));
    AUTO_JSON json_t *view = cli_call(cli, "vm.show", json_pack("{s:s}", "vm", given), err);
    AUTO(ssh_paths_free) struct ssh_paths paths = {0};
    if (view == NULL || ssh_paths_ask(cli, &paths, err) < 0) {
        return -1;
    }
    return ssh_to(cli, program, &paths, json_get_string(view, "name", given), err);
}
