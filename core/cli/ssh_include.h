/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our line in a user's ssh configuration: on texts, without files. */
#ifndef CLI_SSH_INCLUDE_H
#define CLI_SSH_INCLUDE_H

#include "base/str.h"

#include <stdbool.h>

/* `path`: the included file. `text` is any bytes; what is not ours comes out as it went in. */

bool ssh_include_is_in(const struct buf *text, const char *path);
/* The text with our two lines in front; `made`: the file is of our making. */
void ssh_include_add(const struct buf *text, const char *path, bool made, struct buf *out);
/* The text without them; `made` as it was given then. */
void ssh_include_remove(const struct buf *text, const char *path, bool *made, struct buf *out);

#endif
