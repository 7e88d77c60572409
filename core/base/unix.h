/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BASE_UNIX_H
#define BASE_UNIX_H

#include "error.h"

#include <sys/types.h>

/* Unix sockets whose paths may be longer than sun_path (108 bytes, unix(7)): reached through
 * /proc/self/fd/N. Both return a close-on-exec descriptor. */
int unix_listen(const char *path, mode_t mode, banger_error *err);
/* Non-blocking, connected. The last name must be the socket itself: a jailed VMM owns its folder, and must
 * not lead us to a socket of the host by a link. */
int unix_connect(const char *path, banger_error *err);

#endif
