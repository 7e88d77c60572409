/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One hook of one script, run for one call. */
#ifndef LUA_HOOK_H
#define LUA_HOOK_H

#include <banger/plugin.h>

/* The hook of that name of the script that the call is for. */
int hook_run(const struct banger_host *host, struct banger_call *call, const char *name);

#endif
