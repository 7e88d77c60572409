/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf.h"

#include <stdlib.h>
#include <string.h>

static void append(const char **list, size_t *count, size_t limit, const char *value)
{
    if (*count < limit) {
        list[(*count)++] = value;
    }
}

static void take(struct conf *conf, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **place;
    } scalars[] = {
        {"root", &conf->root}, {"root_type", &conf->root_type}, {"root_flags", &conf->root_flags},
        {"init", &conf->init}, {"hostname", &conf->hostname},
    };
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
        if (strcmp(key, scalars[i].key) == 0) {
            *scalars[i].place = value;
        }
    }
    if (strcmp(key, "interface") == 0) {
        append(conf->interfaces, &conf->interface_count, CONF_INTERFACES_MAX, value);
    } else if (strcmp(key, "env") == 0) {
        append(conf->env, &conf->env_count, CONF_ENV_MAX, value);
    } else if (strcmp(key, "mount") == 0) {
        append(conf->mounts, &conf->mount_count, CONF_MOUNTS_MAX, value);
    } else if (strcmp(key, "clock") == 0) {
        conf->clock = strtoll(value, NULL, 10);
    }
}

void conf_parse(char *text, struct conf *conf)
{
    *conf = (struct conf){.root_type = "ext4", .root_flags = "rw", .init = "auto"};
    for (char *line = strsep(&text, "\n"); line != NULL; line = strsep(&text, "\n")) {
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            take(conf, line, equals + 1);
        }
    }
}
