/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rows of the command tables run. Each returns the exit status, or -1 with the error. */
#ifndef CLI_HANDLERS_H
#define CLI_HANDLERS_H

#include "cli/cli.h"

/* vm_run.c */
int vm_run(struct cli *cli, banger_error *err);
/* vm_exec.c */
int vm_exec(struct cli *cli, banger_error *err);
/* vm_life.c */
int vm_create(struct cli *cli, banger_error *err);
int vm_start(struct cli *cli, banger_error *err);
int vm_stop(struct cli *cli, banger_error *err);
int vm_kill(struct cli *cli, banger_error *err);
int vm_restart(struct cli *cli, banger_error *err);
int vm_pause(struct cli *cli, banger_error *err);
int vm_resume(struct cli *cli, banger_error *err);
int vm_delete(struct cli *cli, banger_error *err);
int vm_prune(struct cli *cli, banger_error *err);
/* vm_show.c */
int vm_list(struct cli *cli, banger_error *err);
int vm_show(struct cli *cli, banger_error *err);
int vm_plan(struct cli *cli, banger_error *err);
/* vm_watch.c */
int vm_stats(struct cli *cli, banger_error *err);
int vm_ports(struct cli *cli, banger_error *err);
/* network.c */
int network_list(struct cli *cli, banger_error *err);
int network_remove(struct cli *cli, banger_error *err);
/* vm_set.c */
int vm_set(struct cli *cli, banger_error *err);
/* vm_cp.c */
int vm_cp(struct cli *cli, banger_error *err);
/* vm_connect.c */
int vm_connect(struct cli *cli, banger_error *err);
/* vm_ssh.c */
int vm_ssh(struct cli *cli, banger_error *err);
/* vm_logs.c */
int vm_logs(struct cli *cli, banger_error *err);
/* image.c */
int image_build(struct cli *cli, banger_error *err);
int image_register(struct cli *cli, banger_error *err);
int image_list(struct cli *cli, banger_error *err);
int image_show(struct cli *cli, banger_error *err);
int image_delete(struct cli *cli, banger_error *err);
/* kernel.c */
int kernel_import(struct cli *cli, banger_error *err);
int kernel_list(struct cli *cli, banger_error *err);
int kernel_show(struct cli *cli, banger_error *err);
int kernel_delete(struct cli *cli, banger_error *err);
/* plugin.c */
int plugin_list(struct cli *cli, banger_error *err);
int plugin_show(struct cli *cli, banger_error *err);
int plugin_enable(struct cli *cli, banger_error *err);
int hook_list(struct cli *cli, banger_error *err);
/* plugin_new.c */
int plugin_new(struct cli *cli, banger_error *err);
/* plugin_check.c */
int plugin_check(struct cli *cli, banger_error *err);
/* hook_new.c, hook_check.c, hook_test.c */
int hook_new(struct cli *cli, banger_error *err);
int hook_check(struct cli *cli, banger_error *err);
int hook_test(struct cli *cli, banger_error *err);
/* ssh_config.c */
int ssh_config(struct cli *cli, banger_error *err);
/* doctor.c */
int doctor(struct cli *cli, banger_error *err);
/* daemon.c */
int daemon_start(struct cli *cli, banger_error *err);
int daemon_stop(struct cli *cli, banger_error *err);
int daemon_status(struct cli *cli, banger_error *err);
int version(struct cli *cli, banger_error *err);
/* events.c */
int events(struct cli *cli, banger_error *err);
/* help.c, complete.c */
int help(struct cli *cli, banger_error *err);
int completion(struct cli *cli, banger_error *err);

#endif
