/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder for one test, removed with what is in it. Needs nothing of the core. */
#ifndef TESTS_TEMP_DIR_H
#define TESTS_TEMP_DIR_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct temp_dir {
    char path[PATH_MAX / 4];
};

static inline void temp_dir_make(struct temp_dir *dir)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(dir->path, sizeof(dir->path), "%s/banger-test-XXXXXX",
                   base != NULL && *base == '/' ? base : "/tmp");
    if (mkdtemp(dir->path) == NULL) {
        perror(dir->path);
        abort();
    }
}

static inline int temp_dir_remove_one(const char *path, const struct stat *status, int kind,
                                      struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void temp_dir_remove(struct temp_dir *dir)
{
    (void)nftw(dir->path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* PATH/NAME, in a static buffer that the next call but three overwrites. */
static inline const char *temp_dir_at(const struct temp_dir *dir, const char *name)
{
    static char buffers[4][PATH_MAX];
    static unsigned next;
    char *buffer = buffers[next++ % 4];

    (void)snprintf(buffer, PATH_MAX, "%s/%s", dir->path, name);
    return buffer;
}

/* Writes a file; ends the program when it cannot. */
static inline void temp_dir_write(const struct temp_dir *dir, const char *name, const char *text)
{
    FILE *file = fopen(temp_dir_at(dir, name), "we");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(name);
        abort();
    }
}

/* The file's first 4 KiB as text; "" when it is not there. In a static buffer. */
static inline const char *temp_dir_read(const struct temp_dir *dir, const char *name)
{
    static char text[4097];
    FILE *file = fopen(temp_dir_at(dir, name), "re");
    size_t got = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);

    text[got] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

static inline int temp_dir_has(const struct temp_dir *dir, const char *name)
{
    return access(temp_dir_at(dir, name), F_OK) == 0;
}

#endif
