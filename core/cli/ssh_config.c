/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `ssh-config`: makes `ssh NAME.vm` work.
 *
 * 1. What ssh needs goes into a file of ours below STATE, which each --install writes anew.
 * 2. The user's own file gets an Include of it (ssh_include.h) and stays as it is otherwise. It is
 *    replaced by a rename beside it, where its symbolic links lead to, with its mode and owner.
 * 3. --uninstall takes that back, and first of all: a file that is included must be there until then.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/ssh.h"
#include "cli/ssh_include.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_MAX ((size_t)4 * 1024 * 1024) /* far beyond any that people write */

/* -- Our file ---------------------------------------------------------------------------------- */

static void add_line(void *context, const char *name, const char *value)
{
    buf_printf(context, "    %s %s\n", name, value);
}

static int make_block(const struct ssh_paths *paths, struct buf *out, banger_error *err)
{
    buf_puts(out, "# Made by 'banger ssh-config': VMs as hosts.\nHost *.vm\n");
    return ssh_options(paths, "root", add_line, out, err);
}

/* -- The user's file --------------------------------------------------------------------------- */

struct user_file {
    char *folder; /* ~/.ssh */
    char *path;   /* what is to be replaced: the links' end */
    bool exists;
    struct stat st;
    struct buf text;
};

static void user_file_free(struct user_file *file)
{
    free(file->folder);
    free(file->path);
    buf_free(&file->text);
}

static const char *home_folder(void)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] == '/') {
        return home;
    }
    const struct passwd *entry = getpwuid(geteuid());
    return entry != NULL ? entry->pw_dir : "/";
}

static int user_file_read(struct user_file *file, banger_error *err)
{
    file->folder = str_format("%s/.ssh", home_folder());
    AUTO_FREE char *path = str_format("%s/config", file->folder);
    file->path = realpath(path, NULL);
    if (file->path == NULL) {
        struct stat link;
        if (errno != ENOENT || lstat(path, &link) == 0) {
            return error_sys(err, errno, "cannot read %s", path); /* a link to nowhere is one */
        }
        file->path = STEAL(path);
        return 0;
    }
    file->exists = true;
    if (stat(file->path, &file->st) < 0) {
        return error_sys(err, errno, "cannot read %s", file->path);
    }
    if (!S_ISREG(file->st.st_mode)) {
        return error_set(err, BANGER_EINVALID, "%s is not a file", file->path);
    }
    return file_read(file->path, CONFIG_MAX, &file->text, err);
}

static int write_beside(const struct user_file *file, const char *temporary, const struct buf *text,
                        banger_error *err)
{
    mode_t mode = file->exists ? file->st.st_mode & 07777 : 0600;
    (void)unlink(temporary); /* of a crash */
    AUTO_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_sys(err, errno, "cannot create %s", temporary);
    }
    if (fd_write_all(fd, str_or(text->data, ""), text->length, err) < 0) {
        return error_prefix(err, "%s: ", temporary);
    }
    if ((file->exists && fchown(fd, file->st.st_uid, file->st.st_gid) < 0) ||
        fchmod(fd, mode) < 0 || fsync(fd) < 0) {
        return error_sys(err, errno, "cannot give %s the owner and mode of %s", temporary,
                         file->path);
    }
    return 0;
}

static int user_file_write(const struct user_file *file, const struct buf *text, banger_error *err)
{
    AUTO_FREE char *temporary = str_format("%s.banger-new", file->path);
    if (write_beside(file, temporary, text, err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    if (rename(temporary, file->path) < 0) {
        int saved = errno;
        (void)unlink(temporary);
        return error_sys(err, saved, "cannot replace %s", file->path);
    }
    return 0;
}

/* -- The three ways ---------------------------------------------------------------------------- */

/* Returns 1 when something changed. */
static int install(const struct ssh_paths *paths, struct user_file *file, banger_error *err)
{
    AUTO_BUF struct buf block = BUF_INIT;
    AUTO_FREE char *config = xstrdup(paths->config);
    if (make_block(paths, &block, err) < 0 || dir_make(dirname(config), 0700, err) < 0 ||
        file_write_atomic(paths->config, block.data, block.length, 0600, err) < 0) {
        return -1;
    }
    if (ssh_include_is_in(&file->text, paths->config)) {
        return 0;
    }
    AUTO_BUF struct buf text = BUF_INIT;
    ssh_include_add(&file->text, paths->config, !file->exists, &text);
    if (dir_make(file->folder, 0700, err) < 0 || user_file_write(file, &text, err) < 0) {
        return -1;
    }
    return 1;
}

static int uninstall(const struct ssh_paths *paths, struct user_file *file, banger_error *err)
{
    bool is_in = ssh_include_is_in(&file->text, paths->config);
    if (is_in) {
        AUTO_BUF struct buf text = BUF_INIT;
        bool made = false;
        ssh_include_remove(&file->text, paths->config, &made, &text);
        bool goes = made && text.length == 0;
        if ((goes ? file_remove(file->path, err) : user_file_write(file, &text, err)) < 0) {
            return -1;
        }
    }
    return file_remove(paths->config, err) < 0 ? -1 : is_in;
}

static int change(struct cli *cli, const struct ssh_paths *paths, banger_error *err)
{
    AUTO(user_file_free) struct user_file file = {.text = BUF_INIT};
    bool installs = args_has(&cli->args, "install");
    if (user_file_read(&file, err) < 0) {
        return -1;
    }
    int changed = installs ? install(paths, &file, err) : uninstall(paths, &file, err);
    if (changed < 0) {
        return -1;
    }
    if (cli->json) {
        AUTO_JSON json_t *result =
            json_pack("{s:b, s:b, s:s, s:s}", "installed", (int)installs, "changed", changed,
                      "file", file.path, "include", paths->config);
        output_json(result);
    } else {
        (void)printf("%s\n", file.path);
    }
    return EXIT_DONE;
}

static int print_block(const struct cli *cli, const struct ssh_paths *paths, banger_error *err)
{
    AUTO_BUF struct buf block = BUF_INIT;
    if (make_block(paths, &block, err) < 0) {
        return -1;
    }
    if (cli->json) {
        AUTO_JSON json_t *result = json_pack("{s:s}", "text", block.data);
        output_json(result);
    } else {
        (void)fputs(block.data, stdout);
    }
    return EXIT_DONE;
}

int ssh_config(struct cli *cli, banger_error *err)
{
    bool changes = args_has(&cli->args, "install") || args_has(&cli->args, "uninstall");
    if (args_has(&cli->args, "install") && args_has(&cli->args, "uninstall")) {
        return error_set(err, BANGER_EINVALID, "--install and --uninstall exclude each other");
    }
    AUTO(ssh_paths_free) struct ssh_paths paths = {0};
    if (ssh_paths_ask(cli, &paths, err) < 0) {
        return -1;
    }
    return changes ? change(cli, &paths, err) : print_block(cli, &paths, err);
}
