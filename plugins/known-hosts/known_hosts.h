/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of the plugin known-hosts, all below STATE/ssh, and what is done with them. */
#ifndef KNOWN_HOSTS_H
#define KNOWN_HOSTS_H

#include <banger/plugin.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define KEYGEN_PACKAGE "openssh-client"

struct ssh_files {
    char folder[PATH_MAX];
    char key[PATH_MAX];    /* the private one: ours, or the configured one */
    char public[PATH_MAX]; /* beside it */
    char hosts[PATH_MAX];  /* known_hosts */
    bool own;              /* the key is ours to make */
};

/* Fails when the paths are too long, or the configured key is no absolute path. */
int ssh_files_of(const struct banger_host *host, struct banger_call *call, struct ssh_files *files);
/* Formats a path; fails when it is too long. */
int ssh_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX],
             const char *format, ...) BANGER_PRINTF(4, 5);

/* Where ssh-keygen is; NULL: nowhere. */
const char *ssh_keygen(void);
/* Makes the folder and takes its lock, within the hook's time. A descriptor to be closed, or -1. */
int ssh_lock(const struct banger_host *host, struct banger_call *call,
             const struct ssh_files *files);

/* Makes our key pair where there is none. */
int key_ensure(const struct banger_host *host, struct banger_call *call,
               const struct ssh_files *files);
/* The one line of the public key; false: there is none (errno), or it is not one line. */
bool key_read(const char *path, char *line, size_t size);

/* Remembers an address by which the VM may have been pinned. */
int pins_remember(const struct banger_host *host, struct banger_call *call, const char *address);
/* Removes what is known of the VM's hosts: its name and its addresses, at any port. */
int pins_forget(const struct banger_host *host, struct banger_call *call,
                const struct ssh_files *files);

#endif
