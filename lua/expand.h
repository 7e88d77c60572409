/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which scripts there are: every *.lua of the hook folders, in the folders' order, by name. */
#ifndef LUA_EXPAND_H
#define LUA_EXPAND_H

#include <banger/plugin.h>

/* The plugin's `expand`. */
int expand_scripts(const struct banger_host *host, struct banger_call *call);

#endif
