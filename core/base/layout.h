/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where things lie. Root: /etc/banger, /var/lib/banger, /run/banger, /var/cache/banger. A user: the
 * XDG base directories (XDG Base Directory Specification 0.8). BANGER_HOME=DIR puts all of it below
 * DIR: DIR/config.lua, DIR/state, DIR/run, DIR/cache.
 *
 * Below state/:  banger.db  images/ID/  kernels/ID/  vms/ID/
 * Below run/:    bangerd.sock  bangerd.lock  vms/SHORT_ID/
 */
#ifndef BASE_LAYOUT_H
#define BASE_LAYOUT_H

#include "error.h"

#include <jansson.h>

struct layout {
    char *config_dir;
    char *site_dir; /* what the site has for every daemon; NULL with BANGER_HOME */
    char *state_dir;
    char *run_dir;
    char *cache_dir;
    char *plugin_dir;  /* the bundled plugins: beside the executable when run in place */
    char *libexec_dir; /* bangerd, banger-agent, banger-plugin */
    char *share_dir;   /* templates and examples; NULL: not found */
};

int layout_load(struct layout *layout, banger_error *err);
void layout_free(struct layout *layout);

/* What plugins are told of it: {"state_dir","run_dir","config_dir","site_dir"?}; a new reference. */
json_t *layout_describe(const struct layout *layout);

/* Each returns a new string. */
char *layout_config_file(const struct layout *layout);    /* config.lua */
char *layout_database(const struct layout *layout);       /* state/banger.db */
char *layout_control_socket(const struct layout *layout); /* run/bangerd.sock */
char *layout_daemon_log(const struct layout *layout);     /* state/bangerd.log */
char *layout_plugin_program(const struct layout *layout); /* libexec/banger-plugin */
char *layout_vm_dir(const struct layout *layout, const char *vm_id);
char *layout_vm_run_dir(const struct layout *layout, const char *vm_id);
char *layout_image_dir(const struct layout *layout, const char *image_id);
char *layout_kernel_dir(const struct layout *layout, const char *kernel_id);

#endif
