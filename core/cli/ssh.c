/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One list for both commands, so that `vm ssh` and `ssh NAME.vm` cannot differ.
 *
 * 1. ProxyCommand connects: through the agent where the VM has no address of its own, so that no
 *    network is needed; and no address is ever in the way of a known key (CheckHostIP is off).
 * 2. Keys of guests are taken on first use into a file of ours, under the VM's name and never hashed:
 *    the deleted VM's go with it.
 * 3. ssh hands ProxyCommand to the user's shell, and expands %-tokens in it and in file names.
 */
#include "ssh.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/listener.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int ssh_paths_ask(struct cli *cli, struct ssh_paths *paths, banger_error *err)
{
    *paths = (struct ssh_paths){.answer = cli_call(cli, "ssh.show", json_object(), err)};
    if (paths->answer == NULL) {
        return -1;
    }
    paths->key = json_get_string(paths->answer, "key", "");
    paths->known_hosts = json_get_string(paths->answer, "known_hosts", "");
    paths->config = json_get_string(paths->answer, "config", "");
    return 0;
}

void ssh_paths_free(struct ssh_paths *paths)
{
    json_decref(paths->answer);
}

/* -- Quoting ----------------------------------------------------------------------------------- */

char *ssh_shell_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        return xstrdup(word);
    }
    struct buf out = BUF_INIT;
    buf_puts(&out, "'");
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            buf_puts(&out, "'\\''");
        } else {
            buf_append(&out, word, 1);
        }
    }
    buf_puts(&out, "'");
    return buf_steal(&out);
}

static char *double_percents(const char *text)
{
    struct buf out = BUF_INIT;
    buf_puts(&out, "");
    for (; *text != '\0'; text++) {
        buf_append(&out, *text == '%' ? "%%" : text, *text == '%' ? 2 : 1);
    }
    return buf_steal(&out);
}

char *ssh_config_word(const char *path, bool expands)
{
    AUTO_FREE char *text = expands ? double_percents(path) : xstrdup(path);
    if (text[strcspn(text, " \t\"'\\#=")] == '\0') {
        return STEAL(text);
    }
    struct buf out = BUF_INIT;
    buf_puts(&out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            buf_puts(&out, "\\");
        }
        buf_append(&out, at, 1);
    }
    buf_puts(&out, "\"");
    return buf_steal(&out);
}

/* -- The options ------------------------------------------------------------------------------- */

/* The rest of the line is the command, for a shell that need not be sh. */
static char *proxy_command(banger_error *err)
{
    char self[PATH_MAX];
    const char *home = getenv("BANGER_HOME");
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0) {
        (void)error_sys(err, errno, "cannot tell where this program lies");
        return NULL;
    }
    self[length] = '\0';
    AUTO_BUF struct buf line = BUF_INIT;
    if (home != NULL && *home != '\0') {
        AUTO_FREE char *pair = str_format("BANGER_HOME=%s", home);
        AUTO_FREE char *word = ssh_shell_word(pair);
        buf_printf(&line, "/usr/bin/env %s ", word);
    }
    AUTO_FREE char *program = ssh_shell_word(self);
    buf_puts(&line, program);
    AUTO_FREE char *escaped = double_percents(line.data);
    return str_format("%s vm connect --wait " LISTENER_SSH_WAIT " %%h %%p", escaped);
}

int ssh_options(const struct ssh_paths *paths, const char *user,
                void (*take)(void *context, const char *name, const char *value), void *context,
                banger_error *err)
{
    AUTO_FREE char *proxy = proxy_command(err);
    if (proxy == NULL) {
        return -1;
    }
    AUTO_FREE char *key = ssh_config_word(paths->key, true);
    AUTO_FREE char *known_hosts = ssh_config_word(paths->known_hosts, true);
    const struct {
        const char *name;
        const char *value;
    } options[] = {
        {"User", user},
        {"IdentityFile", key},
        {"IdentitiesOnly", "yes"},
        {"UserKnownHostsFile", known_hosts},
        {"GlobalKnownHostsFile", "/dev/null"},
        {"HashKnownHosts", "no"},
        {"CheckHostIP", "no"},
        {"StrictHostKeyChecking", "accept-new"},
        {"ProxyCommand", proxy},
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        take(context, options[i].name, options[i].value);
    }
    return 0;
}
