/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An authorized_keys of the overlay (sshd(8)) is added to the image's, not put in its place. */
#ifndef AGENT_BOOT_KEYS_H
#define AGENT_BOOT_KEYS_H

#define BOOT_KEYS_FILE "authorized_keys"
#define BOOT_KEYS_FOLDER ".ssh"
/* A line that starts so, and the one below it, are the overlay's of an earlier boot. */
#define BOOT_KEYS_MARKER "# banger:"

/* Writes to `out` the lines of `name` in the folder that are not an earlier overlay's. No file, or
 * something else than a file: nothing. -1 with errno. */
int boot_keys_keep(int out, int folder, const char *name);

#endif
