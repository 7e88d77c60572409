/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the host's that scripts may write: below a folder that the site names, through no link. */
#ifndef LUA_PLACE_H
#define LUA_PLACE_H

#include <stddef.h>
#include <sys/types.h>

#define PLACE_WHY_MAX 256

/* FOLDER/REST gets that content and mode, at once or not at all. Below 0: `why` says the reason. */
int place_write(const char *folder, const char *rest, const char *text, size_t length, mode_t mode,
                char *why, size_t size);
/* 1: removed; 0: was not there; below 0: `why` says the reason. */
int place_remove(const char *folder, const char *rest, char *why, size_t size);

#endif
