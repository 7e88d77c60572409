/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope cleanup: `AUTO_CLOSE int fd = -1;` is closed on every way out of its block. Ownership that
 * moves is nulled where it moves: `return STEAL_FD(fd);`, `*out = STEAL(text);`.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static inline void cleanup_closedir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}

#define AUTO(function) __attribute__((cleanup(function)))
#define AUTO_FREE AUTO(cleanup_free)
#define AUTO_CLOSE AUTO(cleanup_close)
#define AUTO_FCLOSE AUTO(cleanup_fclose)
#define AUTO_CLOSEDIR AUTO(cleanup_closedir)
#define AUTO_JSON AUTO(cleanup_json)

#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) stolen_ = (pointer);                                                   \
        (pointer) = NULL;                                                                          \
        stolen_;                                                                                   \
    })

#define STEAL_FD(fd)                                                                               \
    __extension__({                                                                                \
        int stolen_ = (fd);                                                                        \
        (fd) = -1;                                                                                 \
        stolen_;                                                                                   \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
