/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin's tables, made whole. A plugin may be older or newer than this core, and so its structs
 * shorter or longer than ours. They are copied once, into structs of our size with zeros where the
 * plugin has nothing; behind this file no code needs BANGER_HAS. The texts and name lists stay the
 * plugin's (they live as long as the process).
 */
#ifndef CAPABILITY_DESCRIPTOR_H
#define CAPABILITY_DESCRIPTOR_H

#include "base/error.h"

#include <banger/plugin.h>

struct descriptor {
    struct banger_plugin plugin; /* points at what follows, or at what its maker keeps alive */
    struct banger_hooks hooks;
    struct banger_vmm vmm;
    struct banger_rootfs rootfs;
    struct banger_network network;
    struct banger_config_key *keys;
    const char **after; /* of a carried capability; a plugin's own live as long as the process */
    const char **before;
    char *name; /* of a stripped one */
};

int descriptor_check_name(const char *name, banger_error *err);
/* Magic, ABI, size and name, in this order: then `given->name` may be read. */
int descriptor_check(const struct banger_plugin *given, banger_error *err);
/* Checks all that `given` says about itself, the tables included, and fills `own`, which must not
 * move afterwards. */
int descriptor_adopt(const struct banger_plugin *given, struct descriptor *own, banger_error *err);
/* Leaves nothing of it but a name (a copy of `name`, which may be its own) and the texts for people. */
void descriptor_strip(struct descriptor *own, const char *name);
void descriptor_clear(struct descriptor *own);

#endif
