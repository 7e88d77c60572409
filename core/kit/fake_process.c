/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256
#define OUTPUT_MAX (1024 * 1024)

static pid_t start(const json_t *argv, int out, int err, const char *cwd)
{
    char *vector[ARGUMENTS_MAX] = {NULL};
    size_t i;
    json_t *word;
    pid_t pid;

    json_array_foreach (argv, i, word) {
        if (i < ARGUMENTS_MAX - 1) {
            vector[i] = (char *)json_string_value(word);
        }
    }
    pid = fork();
    if (pid == 0) {
        if (chdir(cwd) == 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0) {
            (void)execv(vector[0], vector);
        }
        _exit(127);
    }
    return pid;
}

static json_t *read_back(int fd)
{
    off_t length = lseek(fd, 0, SEEK_END);
    size_t size = length > 0 && length < OUTPUT_MAX ? (size_t)length : 0;
    char *text = calloc(1, size + 1);
    json_t *value;

    if (text == NULL || pread(fd, text, size, 0) != (ssize_t)size) {
        abort();
    }
    value = json_string(text);
    free(text);
    return value != NULL ? value : json_string("(not UTF-8)");
}

json_t *fake_process_run(const json_t *argv)
{
    int out = memfd_create("stdout", MFD_CLOEXEC);
    int err = memfd_create("stderr", MFD_CLOEXEC);
    pid_t pid = start(argv, out, err, "/");
    int status = 0;
    json_t *result = NULL;

    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        result = json_pack("{s:i, s:o, s:o}", "status",
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                           "stdout", read_back(out), "stderr", read_back(err));
    }
    (void)close(out);
    (void)close(err);
    return result;
}

pid_t fake_process_spawn(const json_t *argv, const json_t *options)
{
    const char *log = json_string_value(json_object_get(options, "log"));
    const char *cwd = json_string_value(json_object_get(options, "cwd"));
    int fd = open(log != NULL ? log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    pid_t pid = fd < 0 ? -1 : start(argv, fd, fd, cwd != NULL ? cwd : "/");

    if (fd >= 0) {
        (void)close(fd);
    }
    return pid;
}
