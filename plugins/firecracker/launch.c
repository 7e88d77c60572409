/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch:
 *
 * 1. Sockets that a run left are unlinked: Firecracker does not do that, and fails on them.
 * 2. The requests are made (configure.c), and the jail where one is wanted (jail.c).
 * 3. Watch the folder in which the API socket will be, and the log of its output (its last writer's
 *    end is Firecracker's end, since nobody else holds it).
 * 4. host->spawn: its standard output is the guest's serial console; its own log and its metrics go
 *    to the files that the core has made.
 * 5. At each event ask for the state; the answer must name our id.
 * 6. The requests in order, then InstanceStart: after it the guest's processors run.
 *
 * A failure anywhere is an error with Firecracker's own words and the end of its log; the process is
 * the core's to end, with everything else that the VM has.
 */
#include "firecracker.h"
#include "vmm_start.h"

#include <banger/json.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct launch {
    const struct banger_host *host;
    struct banger_call *call;
    const char *run_dir;
    const char *dir;
    struct program program;
    struct jail jail;
    json_t *machine;
    json_t *requests;
    struct vmm_start start;
    struct api *api;
};

int launch_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX],
                const char *folder, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s%s%s", folder, *name != '\0' ? "/" : "", name);

    return length < PATH_MAX
               ? 0
               : host->fail(call, BANGER_EINVALID, "the path of %s/%s is too long", folder, name);
}

int launch_unlink_sockets(const struct banger_host *host, struct banger_call *call)
{
    static const char *const names[] = {API_SOCKET, VSOCK_SOCKET, JAIL_LINK};
    const char *run_dir = host->get_string(call, "vm.run_dir", NULL);
    char path[PATH_MAX];

    for (size_t i = 0; run_dir != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (launch_path(host, call, path, run_dir, names[i]) < 0) {
            return -1;
        }
        if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR) {
            return host->fail(call, BANGER_EIO, "cannot remove %s: %s", path, strerror(errno));
        }
    }
    return 0;
}

/* The bridge's, so that it is the same in every run; else made of the VM's id. Each Firecracker has
 * its own vsock, where CIDs need not differ. 0 to 2 and the last are taken (vsock(7)). */
static uint32_t guest_cid(const struct launch *launch)
{
    const char *id = launch->host->get_string(launch->call, "vm.id", "");
    char digits[8 + 1];
    int64_t cid = launch->host->get_int(launch->call, "runtime.bridge.cid", 0);

    if (cid >= 3 && cid < UINT32_MAX) {
        return (uint32_t)cid;
    }
    (void)snprintf(digits, sizeof(digits), "%.8s", id);
    return 3 + (uint32_t)(strtoul(digits, NULL, 16) % (UINT32_MAX - 3));
}

/* Everything that can be decided and made before there is a process. */
static int prepare(struct launch *launch)
{
    struct configure_options options = {.guest_cid = guest_cid(launch), .vsock_path = VSOCK_SOCKET};
    const char *reason = NULL;

    launch->machine = banger_json_get(launch->host, launch->call, "machine");
    if (program_find(launch->host, launch->call, &launch->program) < 0 ||
        jail_read(launch->host, launch->call, &launch->program, &launch->jail) < 0 ||
        launch_unlink_sockets(launch->host, launch->call) < 0 ||
        (launch->jail.wanted &&
         jail_fill(launch->host, launch->call, &launch->jail, launch->machine, &options) < 0)) {
        return -1;
    }
    launch->requests = configure_build(launch->machine, &options, &reason);
    json_decref((json_t *)options.drive_paths);
    return launch->requests != NULL
               ? 0
               : launch->host->fail(launch->call, BANGER_EINVALID,
                                    "Firecracker cannot run this machine: %s", reason);
}

/* The console first: it is what the process holds. */
static int watch(struct launch *launch)
{
    const char *console =
        json_string_value(json_object_get(json_object_get(launch->machine, "console"), "path"));
    char own[PATH_MAX];

    if (launch_path(launch->host, launch->call, own, launch->dir, "vmm.log") < 0 ||
        (console != NULL && vmm_start_add_log(&launch->start, console) < 0) ||
        vmm_start_add_log(&launch->start, own) < 0) {
        return -1;
    }
    return vmm_start_watch(&launch->start,
                           launch->jail.wanted ? launch->jail.root : launch->run_dir);
}

/* In a jail the log and metrics files lie in its root, and the jailer adds the id. */
static json_t *build_argv(const struct launch *launch)
{
    const char *folder = launch->jail.wanted ? "" : launch->dir;
    json_t *argv = launch->jail.wanted
                       ? jail_argv(launch->host, launch->call, &launch->jail, &launch->program)
                       : json_pack("[s, s, s]", launch->program.path, "--id",
                                   launch->host->get_string(launch->call, "vm.id", ""));
    json_t *own = json_pack("[s, s, s, o, s, s, s, o]", "--api-sock", API_SOCKET, "--log-path",
                            json_sprintf("%s/vmm.log", folder), "--level", "Info", "--metrics-path",
                            json_sprintf("%s/metrics.json", folder));

    json_array_extend(argv, own);
    json_decref(own);
    return argv;
}

static int spawn(struct launch *launch)
{
    return banger_json_spawn(launch->host, launch->call, build_argv(launch),
                             json_pack("{s:s, s:s, s:s}", "role", "vmm", "log",
                                       launch->start.logs[0].path, "cwd", launch->run_dir));
}

/* Firecracker's words, and the end of its log. */
static int refused(const struct launch *launch, enum api_result result)
{
    if (result == API_CANCELLED) {
        return api_fail(launch->api);
    }
    return vmm_start_fail(&launch->start, result == API_TIMEOUT ? BANGER_ETIMEDOUT : BANGER_EIO,
                          api_text(launch->api));
}

/* 0: it answers, and is ours. */
static int greet(const struct launch *launch, enum api_result *result)
{
    const char *id = launch->host->get_string(launch->call, "vm.id", "");
    json_auto_t *state = NULL;
    const char *text = "";

    *result = api_request(launch->api, "GET", "/", NULL, &state);
    if (*result != API_OK) {
        return 0;
    }
    (void)json_unpack(state, "{s:s}", "id", &text);
    if (strcmp(text, id) != 0) {
        return launch->host->fail(launch->call, BANGER_EIO,
                                  "the Firecracker at this VM's API socket calls itself '%.64s'",
                                  text);
    }
    return 0;
}

static int wait_until_it_answers(const struct launch *launch)
{
    bool ended = false;

    for (;;) {
        enum api_result result = API_ABSENT;

        if (greet(launch, &result) < 0) {
            return -1;
        }
        if (result == API_OK) {
            return 0;
        }
        if (result != API_ABSENT && !ended) {
            return refused(launch, result);
        }
        if (vmm_start_give_up(&launch->start, ended) < 0) {
            return -1;
        }
        ended = vmm_start_has_ended(&launch->start);
    }
}

static int configure(const struct launch *launch)
{
    json_auto_t *start = json_pack("{s:s}", "action_type", "InstanceStart");
    enum api_result result = API_OK;
    size_t i;
    json_t *request;

    json_array_foreach (launch->requests, i, request) {
        const char *method = "";
        const char *path = "";
        json_t *body = NULL;

        (void)json_unpack(request, "{s:s, s:s, s:o}", "method", &method, "path", &path, "body",
                          &body);
        result = api_request(launch->api, method, path, body, NULL);
        if (result != API_OK) {
            return refused(launch, result);
        }
    }
    result = api_request(launch->api, "PUT", "/actions", start, NULL);
    return result == API_OK ? 0 : refused(launch, result);
}

/* How the agent is reached, and what will be asked for when something is amiss. */
static int tell(const struct launch *launch)
{
    const char *path = launch->jail.wanted ? JAIL_LINK "/" VSOCK_SOCKET : VSOCK_SOCKET;

    if (banger_json_store(launch->host, launch->call, "version",
                          json_string(launch->program.version)) < 0) {
        return -1;
    }
    return banger_json_store(
        launch->host, launch->call, "agent",
        json_pack("{s:s, s:s, s:i}", "transport", "vsock-uds", "path", path, "port", AGENT_PORT));
}

static int run(struct launch *launch)
{
    if (prepare(launch) < 0 || watch(launch) < 0 || spawn(launch) < 0) {
        return -1;
    }
    launch->api = api_open(launch->host, launch->call);
    if (launch->api == NULL) {
        return launch->host->fail(launch->call, BANGER_EIO, "no memory for Firecracker's API");
    }
    if (wait_until_it_answers(launch) < 0 || api_restrict(launch->api) < 0 ||
        configure(launch) < 0) {
        return -1;
    }
    return tell(launch);
}

int firecracker_launch(const struct banger_host *host, struct banger_call *call)
{
    struct launch launch = {
        .host = host,
        .call = call,
        .run_dir = host->get_string(call, "vm.run_dir", ""),
        .dir = host->get_string(call, "vm.dir", ""),
        .start = {.host = host, .call = call, .name = "Firecracker", .events = -1},
    };
    int result = run(&launch);

    api_close(launch.api);
    vmm_start_end(&launch.start);
    json_decref(launch.requests);
    json_decref(launch.machine);
    return result;
}
