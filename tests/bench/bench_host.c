/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs host operations and processes one after the other in a network namespace of its own, and says
 * how long each took: what network.py and snapshot.py compare, measured by one clock.
 *
 * Its argument, if there is one, is the state folder: where files lie that operations are told of.
 *
 *   in:  {"op": NAME, "vm": ID, "args": {..}}   or   {"run": [[PROGRAM, ARGUMENT..], ..]}
 *   out: {"ns": NANOSECONDS, "result": {..}}    one line a line
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "host/ops.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTANCE "0123456789ab"
#define ARGUMENTS_MAX 32

extern char **environ;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_host: %s: %s\n", what, why);
    exit(1);
}

/* As cheaply as a process can be had: vfork, exec, wait. */
static void run(const json_t *words)
{
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    pid_t pid = 0;
    int status = 0;
    for (size_t i = 0; i < json_array_size(words) && i < ARGUMENTS_MAX; i++) {
        argv[i] = (char *)(uintptr_t)json_string_value(json_array_get(words, i));
    }
    int failure = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (failure != 0) {
        die(argv[0], strerror(failure));
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        AUTO_FREE char *line = json_dumps(words, 0);
        die(line, "failed");
    }
}

/* A new reference; NULL: it was processes. */
static json_t *work(struct host *host, const json_t *job)
{
    banger_error err = BANGER_ERROR_INIT;
    json_t *result = NULL;
    size_t i = 0;
    json_t *words = NULL;
    const char *name = json_get_string(job, "op", NULL);
    json_array_foreach (json_object_get(job, "run"), i, words) {
        run(words);
    }
    if (name != NULL && host_op_run(host, json_get_string(job, "vm", NULL), name,
                                    json_object_get(job, "args"), &result, &err) < 0) {
        die(name, err.message);
    }
    return result;
}

int main(int argc, char **argv)
{
    AUTO_FREE char *line = NULL;
    size_t room = 0;
    char folder[] = "/tmp/bench-host-XXXXXX";
    if (unshare(CLONE_NEWNET) < 0) {
        die("a network namespace", strerror(errno));
    }
    if (mkdtemp(folder) == NULL) {
        die(folder, strerror(errno));
    }
    struct host *host = host_new(INSTANCE, folder, argc > 1 ? argv[1] : folder);
    while (getline(&line, &room, stdin) > 0) {
        AUTO_JSON json_t *job = json_loads(line, 0, NULL);
        int64_t begun = clock_mono_ns();
        json_t *result = work(host, job);
        int64_t took = clock_mono_ns() - begun;
        AUTO_JSON json_t *answer = json_pack("{s:I, s:o}", "ns", (json_int_t)took, "result",
                                             result != NULL ? result : json_null());
        AUTO_FREE char *text = json_dumps(answer, JSON_COMPACT);
        (void)puts(text);
        (void)fflush(stdout);
    }
    host_free(host);
    AUTO_FREE char *note = str_format("%s/ip_forward.found", folder);
    (void)remove(note);
    return rmdir(folder) == 0 ? 0 : 1;
}
