/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The upstreams: the configured ones, or those of resolv.conf(5), read again when the file changes. */
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS 1000   /* how often the file is looked at, at most */
#define LINES_MAX 1024 /* of 256 bytes: more of the file is not read */

struct resolv {
    bool read;
    int64_t looked_ms;
    struct timespec changed;
    ino_t inode;
    struct endpoint upstreams[SERVER_UPSTREAMS_MAX];
    size_t count;
};

struct resolv *resolv_new(void)
{
    return calloc(1, sizeof(struct resolv));
}

void resolv_free(struct resolv *resolv)
{
    free(resolv);
}

static void add(struct resolv *resolv, const char *text)
{
    if (resolv->count < SERVER_UPSTREAMS_MAX &&
        endpoint_parse(text, DNS_PORT, &resolv->upstreams[resolv->count])) {
        resolv->count++;
    }
}

/* "nameserver IP"; all else is for the C library. */
static void take_line(struct resolv *resolv, char *line)
{
    static const char blanks[] = " \t\r\n";
    char *rest = line;
    char *word = strtok_r(line, blanks, &rest);

    if (word == NULL || strcmp(word, "nameserver") != 0) {
        return;
    }
    word = strtok_r(NULL, blanks, &rest);
    if (word != NULL) {
        add(resolv, word);
    }
}

static void read_file(struct resolv *resolv, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[256];

    resolv->count = 0;
    for (int i = 0; file != NULL && i < LINES_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
        take_line(resolv, line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (resolv->count == 0) {
        add(resolv, "127.0.0.1"); /* resolv.conf(5): without a nameserver line, the local machine */
    }
}

static void refresh(struct resolv *resolv, const char *path, int64_t now_ms)
{
    struct stat status;

    if (resolv->read && now_ms - resolv->looked_ms < LOOK_MS) {
        return;
    }
    resolv->looked_ms = now_ms;
    if (stat(path, &status) < 0) {
        memset(&status, 0, sizeof(status));
    }
    if (resolv->read && status.st_ino == resolv->inode &&
        memcmp(&status.st_mtim, &resolv->changed, sizeof(resolv->changed)) == 0) {
        return;
    }
    read_file(resolv, path);
    resolv->read = true;
    resolv->inode = status.st_ino;
    resolv->changed = status.st_mtim;
}

size_t resolv_upstreams(struct server *server, struct endpoint upstreams[SERVER_UPSTREAMS_MAX])
{
    const struct endpoint *list = server->options.upstreams;
    size_t listed = server->options.upstream_count;
    size_t count = 0;

    if (listed == 0) {
        refresh(server->resolv, server->options.resolv_conf, server->now_ms);
        list = server->resolv->upstreams;
        listed = server->resolv->count;
    }
    for (size_t i = 0; i < listed; i++) {
        if (!server_listens(server, &list[i])) {
            upstreams[count++] = list[i];
        }
    }
    return count;
}
