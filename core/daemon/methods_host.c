/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods about the daemon and its host. */
#include "base/cleanup.h"
#include "daemon/doctor.h"
#include "daemon/methods.h"
#include "store/vm_table.h"

#include <unistd.h>

METHOD(method_daemon_status)
{
    (void)request;
    (void)params;
    struct daemon *daemon = context;
    int64_t total = 0;
    int64_t running = 0;
    if (vm_count(daemon->store, &total, &running, err) < 0) {
        return -1;
    }
    AUTO_FREE char *socket = layout_control_socket(&daemon->layout);
    *result = json_pack(
        "{s:s, s:i, s:I, s:s, s:s, s:{s:I, s:I}, s:i}", "version", BANGER_VERSION, "pid",
        (int)getpid(), "uptime_ms", (json_int_t)(clock_mono_ms() - daemon->started_ms), "home",
        daemon->layout.state_dir, "socket", socket, "vms", "total", (json_int_t)total, "running",
        (json_int_t)running, "jobs", (int)rpc_server_jobs(daemon->server));
    return 0;
}

static void stop_loop(void *context)
{
    loop_stop(((struct daemon *)context)->loop);
}

METHOD(method_daemon_stop)
{
    (void)request;
    (void)params;
    (void)result;
    (void)err;
    struct daemon *daemon = context;
    loop_post(daemon->loop, stop_loop, daemon);
    return 0;
}

METHOD(method_doctor)
{
    (void)request;
    (void)params;
    (void)err;
    struct daemon *daemon = context;
    daemon_wait_ready(daemon);
    *result = doctor_examine(daemon);
    return 0;
}
