/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The lock file makes us the only daemon of this home.
 * 2. Configuration, plugins and store are opened; any of them refusing ends the start, with nothing
 *    touched and running VMs untouched.
 * 3. The loop and the socket come up, then the reconcile runs on a worker; requests that come
 *    meanwhile wait for it.
 */
#include "daemon/daemon.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "capability/loader.h"
#include "config/config.h"
#include "host/host.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/rounds.h"
#include "store/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int take_lock(struct daemon *daemon, banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/bangerd.lock", daemon->layout.run_dir);
    if (dir_make(daemon->layout.run_dir, 0700, err) < 0 ||
        dir_make(daemon->layout.state_dir, 0700, err) < 0) {
        return -1;
    }
    daemon->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock_fd < 0) {
        return error_sys(err, errno, "cannot open %s", path);
    }
    if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    if (errno != EWOULDBLOCK) {
        return error_sys(err, errno, "cannot lock %s", path);
    }
    (void)error_set(err, BANGER_EBUSY, "another bangerd runs on %s", daemon->layout.state_dir);
    return error_hint(err, "banger daemon status shows it; BANGER_HOME gives another home");
}

static int open_config(struct daemon *daemon, banger_error *err)
{
    AUTO_FREE char *path = layout_config_file(&daemon->layout);
    daemon->config = config_load(path, err);
    if (daemon->config == NULL) {
        return -1;
    }
    int level = log_parse_level(json_get_string(daemon->config, "log_level", "info"));
    if (level > 0) {
        log_set_level((enum banger_log_level)level);
    }
    return 0;
}

/* What plugins carry can be asked for as soon as they are in their order. */
static int expand_plugins(struct daemon *daemon, const json_t *policies, banger_error *err)
{
    AUTO_JSON json_t *input = json_pack("{s:o}", "host", layout_describe(&daemon->layout));
    registry_set_world(daemon->registry, input, policies);
    if (registry_resolve(daemon->registry, err) < 0) {
        return -1;
    }
    registry_refresh(daemon->registry);
    return registry_check_policies(daemon->registry, policies, err);
}

static int load_plugins(struct daemon *daemon, banger_error *err)
{
    const json_t *policies = json_object_get(daemon->config, "plugins");
    daemon->registry = registry_new();
    registry_set_timeout(daemon->registry, json_get_int(daemon->config, "hook_timeout", 0));
    AUTO_FREE char *isolator = layout_plugin_program(&daemon->layout);
    struct loader loader = {daemon->registry, policies, isolator, .bundled = true};
    if (loader_load_dir(&loader, daemon->layout.plugin_dir, err) < 0) {
        return -1;
    }
    loader.bundled = false;
    size_t i = 0;
    json_t *dir = NULL;
    json_array_foreach (json_object_get(daemon->config, "plugin_dirs"), i, dir) {
        if (loader_load_dir(&loader, json_string_value(dir), err) < 0) {
            return -1;
        }
    }
    return expand_plugins(daemon, policies, err);
}

/* At the end, when the workers have gone, it is done right here (on the loop's thread). */
static void defer(void *context, void (*fn)(void *context), void *argument)
{
    struct daemon *daemon = context;
    if (daemon->server != NULL) {
        rpc_server_defer(daemon->server, fn, argument);
    } else {
        fn(argument);
    }
}

static void announce(void *context)
{
    struct daemon *daemon = context;
    listeners_wake(&daemon->listeners);
}

static int open_host(struct daemon *daemon, banger_error *err)
{
    AUTO_FREE char *instance = meta_instance(daemon->store, err);
    if (instance != NULL) {
        daemon->host = host_new(instance, daemon->layout.run_dir, daemon->layout.state_dir);
    }
    return instance != NULL ? 0 : -1;
}

static void open_engine(struct daemon *daemon)
{
    daemon->engine = (struct engine){
        .layout = &daemon->layout,
        .store = daemon->store,
        .host = daemon->host,
        .registry = daemon->registry,
        .loop = daemon->loop,
        .config = daemon->config,
        .defer = defer,
        .announce = announce,
        .context = daemon,
    };
    engine_init(&daemon->engine);
}

/* Members of the configured group may use the daemon, and so can do what its owner can (docker's
 * group is the same): an image or a kernel is read from any path that the daemon can read. */
static int find_group(const struct daemon *daemon, gid_t *gid, banger_error *err)
{
    const char *name = json_get_string(daemon->config, "socket_group", "");
    *gid = (gid_t)-1;
    if (name[0] == '\0') {
        return 0;
    }
    char memory[16384]; /* a group's members too; getgrnam_r says ERANGE when they are more */
    struct group group;
    struct group *found = NULL;
    int problem = getgrnam_r(name, &group, memory, sizeof(memory), &found);
    if (found == NULL) {
        return problem != 0
                   ? error_sys(err, problem, "socket_group '%s'", name)
                   : error_set(err, BANGER_EINVALID, "socket_group: no group named '%s'", name);
    }
    *gid = found->gr_gid;
    return 0;
}

static int open_socket(struct daemon *daemon, banger_error *err)
{
    gid_t group = (gid_t)-1;
    if (find_group(daemon, &group, err) < 0) {
        return -1;
    }
    bool shared = group != (gid_t)-1;
    AUTO_FREE char *path = layout_control_socket(&daemon->layout);
    struct rpc_server_options options = {
        .socket_path = path,
        .mode = shared ? 0660 : 0600,
        .methods = daemon_methods,
        .context = daemon,
        .arrive = daemon_arrive,
        .leave = daemon_leave,
    };
    daemon->server = rpc_server_new(daemon->loop, &options, err);
    if (daemon->server == NULL) {
        return -1;
    }
    const char *run_dir = daemon->layout.run_dir;
    if (shared && (chown(path, (uid_t)-1, group) < 0 || chown(run_dir, (uid_t)-1, group) < 0 ||
                   chmod(run_dir, 0750) < 0)) {
        return error_sys(err, errno, "cannot give %s to its group", path);
    }
    return 0;
}

static int arm(banger_error *err)
{
#ifdef BANGER_FAULTS
    return failpoint_arm(err);
#else
    (void)err;
    return 0;
#endif
}

int daemon_open(struct daemon *daemon, banger_error *err)
{
    *daemon = (struct daemon){.lock_fd = -1, .started_ms = clock_mono_ms()};
    (void)pthread_mutex_init(&daemon->ready_mutex, NULL);
    (void)pthread_cond_init(&daemon->ready_changed, NULL);
    listeners_init(&daemon->listeners);
    if (arm(err) < 0 || layout_load(&daemon->layout, err) < 0 || take_lock(daemon, err) < 0 ||
        failpoint("daemon", "locked", err) < 0 || open_config(daemon, err) < 0 ||
        load_plugins(daemon, err) < 0 || failpoint("daemon", "plugins-loaded", err) < 0) {
        return -1;
    }
    AUTO_FREE char *database = layout_database(&daemon->layout);
    daemon->store = store_open(database, err);
    daemon->loop = daemon->store != NULL ? loop_new(err) : NULL;
    if (daemon->loop == NULL || failpoint_write("daemon", "store-open", err) < 0 ||
        open_host(daemon, err) < 0) {
        return -1;
    }
    open_engine(daemon);
    return open_socket(daemon, err) < 0 ? -1 : failpoint("daemon", "listening", err);
}

void daemon_set_ready(struct daemon *daemon)
{
    (void)pthread_mutex_lock(&daemon->ready_mutex);
    daemon->ready = true;
    (void)pthread_cond_broadcast(&daemon->ready_changed);
    (void)pthread_mutex_unlock(&daemon->ready_mutex);
}

void daemon_wait_ready(struct daemon *daemon)
{
    (void)pthread_mutex_lock(&daemon->ready_mutex);
    while (!daemon->ready) {
        (void)pthread_cond_wait(&daemon->ready_changed, &daemon->ready_mutex);
    }
    (void)pthread_mutex_unlock(&daemon->ready_mutex);
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

/* Lets the loop run what was posted to it: the last of what ended VMs and channels hold. */
static void drain_loop(struct loop *loop)
{
    loop_post(loop, stop_loop, loop);
    (void)loop_run(loop, NULL);
}

void daemon_close(struct daemon *daemon)
{
    failpoint_kill("daemon.close", "begin");
    rpc_server_free(STEAL(daemon->server));
    failpoint_kill("daemon.close", "served");
    if (daemon->engine.live != NULL) {
        drain_loop(daemon->loop);
        engine_free(&daemon->engine);
        drain_loop(daemon->loop);
    }
    rounds_free(daemon->rounds);
    loop_free(daemon->loop);
    store_close(daemon->store);
    failpoint_kill("daemon.close", "store-closed");
    registry_free(daemon->registry);
    host_free(daemon->host);
    json_decref(daemon->config);
    listeners_destroy(&daemon->listeners);
    if (daemon->lock_fd >= 0) {
        (void)close(daemon->lock_fd);
    }
    layout_free(&daemon->layout);
    (void)pthread_cond_destroy(&daemon->ready_changed);
    (void)pthread_mutex_destroy(&daemon->ready_mutex);
}
