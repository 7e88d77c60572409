/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handlers by theme; methods.c has the table that names them. Their parameters and results are
 * those of rpc/protocol.h. */
#ifndef DAEMON_METHODS_H
#define DAEMON_METHODS_H

#include "daemon/daemon.h"

#define METHOD(name)                                                                               \
    int name(void *context, struct rpc_request *request, const json_t *params, json_t **result,    \
             banger_error *err)

/* methods_vm.c */
METHOD(method_vm_create);
METHOD(method_vm_run);
METHOD(method_vm_start);
METHOD(method_vm_stop);
METHOD(method_vm_kill);
METHOD(method_vm_restart);
METHOD(method_vm_pause);
METHOD(method_vm_resume);
METHOD(method_vm_delete);
METHOD(method_vm_set);
METHOD(method_vm_prune);
/* methods_show.c */
METHOD(method_vm_list);
METHOD(method_vm_show);
METHOD(method_vm_plan);
METHOD(method_ops_list);
METHOD(method_events_subscribe);
/* methods_guest.c */
METHOD(method_vm_exec);
METHOD(method_vm_tar);
METHOD(method_vm_connect);
METHOD(method_vm_stats);
METHOD(method_vm_ports);
METHOD(method_vm_log);
/* methods_ssh.c */
METHOD(method_ssh_show);
/* methods_image.c */
METHOD(method_image_list);
METHOD(method_image_show);
METHOD(method_image_delete);
METHOD(method_image_build);
METHOD(method_image_register);
METHOD(method_kernel_list);
METHOD(method_kernel_show);
METHOD(method_kernel_delete);
METHOD(method_kernel_import);
/* methods_network.c */
METHOD(method_network_list);
METHOD(method_network_remove);
/* methods_plugin.c */
METHOD(method_plugin_list);
METHOD(method_plugin_show);
METHOD(method_plugin_enable);
METHOD(method_hook_list);
/* methods_host.c */
METHOD(method_daemon_status);
METHOD(method_daemon_stop);
METHOD(method_doctor);

#endif
