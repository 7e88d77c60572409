/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firecracker: Amazon's VMM for microVMs, from version 1.8 on; needs KVM. Controlled through its API
 * socket; the agent is reached through its vsock's socket.
 */
#include "firecracker.h"

#include <banger/json.h>
#include <banger/plugin.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static int firecracker_start(const struct banger_host *host, struct banger_call *call)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? 0
               : host->fail(call, BANGER_EINTERNAL, "libcurl does not work here");
}

static int firecracker_stop(const struct banger_host *host, struct banger_call *call)
{
    (void)host;
    (void)call;
    curl_global_cleanup();
    return 0;
}

static int firecracker_check(const struct banger_host *host, struct banger_call *call)
{
    struct program program;
    struct jail jail;
    char text[PATH_MAX + 256];

    if (program_find(host, call, &program) < 0 || fit_check_kvm(host, call) < 0 ||
        fit_check_kernel(host, call) < 0 || jail_read(host, call, &program, &jail) < 0 ||
        jail_check(host, call, &jail) < 0) {
        return -1;
    }
    (void)snprintf(text, sizeof(text), "%s: %s%s", program.path, program.version,
                   jail.wanted ? "; jailed" : "");
    if (host->get_string(call, "vm.id", NULL) == NULL) {
        host->progress(call, text); /* doctor shows it */
    } else {
        host->log(call, BANGER_LOG_INFO, "%s", text);
    }
    return 0;
}

/* Firecracker's own arguments are left out once we give any. Of them "nomodule" would stop our
 * initramfs, and "i8042.nopnp" (before 1.12) Ctrl-Alt-Del. A panic ends the VM, and so does a reboot
 * by the keyboard's controller. */
static const char *const common_args[] = {
    "console=ttyS0", "reboot=k",    "panic=1",       "quiet",           "cryptomgr.notests",
    "i8042.noaux",   "i8042.nomux", "i8042.dumbkbd", "swiotlb=noforce",
};

static int firecracker_contribute(const struct banger_host *host, struct banger_call *call)
{
    struct program program;
    json_t *list = json_array();

    if (program_find(host, call, &program) < 0) {
        json_decref(list);
        return -1;
    }
    for (size_t i = 0; i < sizeof(common_args) / sizeof(common_args[0]); i++) {
        json_array_append_new(list, json_string(common_args[i]));
    }
    if (program.major == 1 && program.minor < 13) {
        json_array_append_new(list, json_string("pci=off")); /* later ones append it themselves */
    }
    return banger_json_contribute(host, call, "boot_args", list);
}

/* One request to the VM's Firecracker. Steals `body`. */
static int command(const struct banger_host *host, struct banger_call *call, const char *method,
                   const char *path, json_t *body)
{
    struct api *api = api_open(host, call);
    int result = -1;

    if (api == NULL) {
        (void)host->fail(call, BANGER_EIO, "no memory for Firecracker's API");
    } else if (api_request(api, method, path, body, NULL) == API_OK) {
        result = 0;
    } else {
        (void)api_fail(api);
    }
    json_decref(body);
    api_close(api);
    return result;
}

/* Queued when it answers, not done. The guest needs a keyboard's driver to hear it. */
static int firecracker_request_stop(const struct banger_host *host, struct banger_call *call)
{
    return command(host, call, "PUT", "/actions",
                   json_pack("{s:s}", "action_type", "SendCtrlAltDel"));
}

static int firecracker_pause(const struct banger_host *host, struct banger_call *call)
{
    return command(host, call, "PATCH", "/vm", json_pack("{s:s}", "state", "Paused"));
}

static int firecracker_resume(const struct banger_host *host, struct banger_call *call)
{
    return command(host, call, "PATCH", "/vm", json_pack("{s:s}", "state", "Resumed"));
}

/* Whether this VM's guest is in it, as the answer to GET / says. */
static bool is_ours(const json_t *answer, const char *id)
{
    const char *name = "";
    const char *state = "";

    return json_unpack((json_t *)answer, "{s:s, s:s}", "id", &name, "state", &state) == 0 &&
           strcmp(name, id) == 0 && (strcmp(state, "Running") == 0 || strcmp(state, "Paused") == 0);
}

static int firecracker_verify(const struct banger_host *host, struct banger_call *call)
{
    struct api *api = api_open(host, call);
    json_auto_t *answer = NULL;
    int result = -1;

    if (api == NULL) {
        return host->fail(call, BANGER_EIO, "no memory for Firecracker's API");
    }
    if (api_request(api, "GET", "/", NULL, &answer) != API_OK) {
        (void)api_fail(api);
    } else if (!is_ours(answer, host->get_string(call, "vm.id", ""))) {
        (void)host->fail(call, BANGER_ENOTFOUND,
                         "the Firecracker at this VM's API socket runs another machine, or none");
    } else {
        result = 0;
    }
    api_close(api);
    return result;
}

static int firecracker_cleanup(const struct banger_host *host, struct banger_call *call)
{
    return launch_unlink_sockets(host, call) < 0 ? -1 : jail_remove(host, call);
}

static const char *const features[] = {"drive:file", "drive:block", "nic:tap",
                                       "vsock",      "initramfs",   NULL};

#define KEY(key_type, key_name, value, text)                                                       \
    {                                                                                              \
        .size = sizeof(keys[0]), .type = (key_type), .name = (key_name), .default_value = (value), \
        .help = (text)                                                                             \
    }

/* clang-format off */
static const struct banger_config_key keys[] = {
    KEY(BANGER_CONFIG_STRING, "binary", NULL,
        "the Firecracker program; without it BANGER_FIRECRACKER, then firecracker in PATH"),
    KEY(BANGER_CONFIG_BOOL, "require_kvm", "true",
        "only for doubles and emulators: false, /dev/kvm is not looked at"),
    KEY(BANGER_CONFIG_BOOL, "jailer", "false",
        "start Firecracker by its jailer: as another user, in a chroot (needs root)"),
    KEY(BANGER_CONFIG_STRING, "jailer_binary", NULL,
        "the jailer; without it, jailer beside the Firecracker program"),
    KEY(BANGER_CONFIG_INT, "jailer_uid", "0", "the user that jailed Firecrackers are; not 0"),
    KEY(BANGER_CONFIG_INT, "jailer_gid", "0", "their group; not 0"),
    KEY(BANGER_CONFIG_STRING, "chroot_base", NULL,
        "the folder of the jails, on the disks' file system; without it, each VM's own folder"),
};
/* clang-format on */

static const struct banger_vmm vmm = {
    .size = sizeof(vmm),
    .rank = 200,
    .features = features,
    .check = firecracker_check,
    .contribute = firecracker_contribute,
    .launch = firecracker_launch,
    .request_stop = firecracker_request_stop,
    .pause = firecracker_pause,
    .resume = firecracker_resume,
    .verify = firecracker_verify,
    .cleanup = firecracker_cleanup,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "firecracker",
    .version = BANGER_VERSION,
    .summary = "Firecracker, on KVM, with or without its jailer",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .vmm = &vmm,
    .start = firecracker_start,
    .stop = firecracker_stop,
};

BANGER_PLUGIN(&plugin)
