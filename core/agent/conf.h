/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading of guest.conf (guest_conf.h). */
#ifndef AGENT_CONF_H
#define AGENT_CONF_H

#include <stddef.h>
#include <stdint.h>

#define CONF_INTERFACES_MAX 16
#define CONF_ENV_MAX 256
#define CONF_MOUNTS_MAX 8

struct conf {
    const char *root; /* NULL: the root is mounted already */
    const char *root_type;
    const char *root_flags;
    const char *init;
    const char *hostname; /* NULL: as it is */
    const char *interfaces[CONF_INTERFACES_MAX + 1];
    const char *env[CONF_ENV_MAX + 1];
    const char *mounts[CONF_MOUNTS_MAX + 1];
    int64_t clock; /* ns since 1970; 0: not given */
    size_t interface_count, env_count, mount_count;
};

/* Takes `text` apart in place; `conf` points into it. */
void conf_parse(char *text, struct conf *conf);

#endif
