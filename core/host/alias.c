/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/alias.h"

#include <stdio.h>
#include <string.h>

void alias_format(const struct host *host, const char *owner, char alias[ALIAS_MAX])
{
    (void)snprintf(alias, ALIAS_MAX, "banger:%s:%s", host->instance, owner);
}

bool alias_is(const struct host *host, const struct link *link, const char *owner)
{
    char alias[ALIAS_MAX];
    alias_format(host, owner, alias);
    return strcmp(link->alias, alias) == 0;
}
