/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the firecracker provider. Each is one file; plugin.c puts them together. */
#ifndef FIRECRACKER_FIRECRACKER_H
#define FIRECRACKER_FIRECRACKER_H

#include <banger/host.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Below Firecracker's working directory, which is vm.run_dir, or the jail's root: relative, so that
 * they fit sun_path (108 bytes, unix(7)) wherever the folder lies. */
#define API_SOCKET "api.sock"
#define VSOCK_SOCKET "v.sock"
/* In vm.run_dir: leads to the jail's root, where there is one. */
#define JAIL_LINK "jail"

/* Where the agent listens in guests: AGENT_VSOCK_PORT of core/agent/frame.h. */
#define AGENT_PORT 1024

/* -- program.c: the program and its version ----------------------------------------------------- */

struct program {
    char path[PATH_MAX];
    char version[64]; /* as it says it, in one printable line */
    int major, minor;
};

/* Finds it (BANGER_FIRECRACKER, the key `binary`, PATH) and asks it, once a process and file. */
int program_find(const struct banger_host *host, struct banger_call *call, struct program *program);

/* -- fit.c: whether this host and this kernel can be used ---------------------------------------- */

/* KVM, unless `require_kvm` is off. */
int fit_check_kvm(const struct banger_host *host, struct banger_call *call);
/* An ELF vmlinux for x86-64; fine when there is no kernel to look at (doctor). */
int fit_check_kernel(const struct banger_host *host, struct banger_call *call);

/* -- api.c: requests to a Firecracker that may hang or lie ---------------------------------------
 */

#define API_TEXT_MAX 480 /* of what it says when it refuses */

enum api_result {
    API_OK = 0,
    API_ABSENT = -1,    /* nobody listens */
    API_TIMEOUT = -2,   /* it does not answer in time */
    API_BROKEN = -3,    /* it answers what no Firecracker does, or hung up */
    API_REFUSED = -4,   /* it answered with an error: `text` */
    API_CANCELLED = -5, /* the user has gone */
};

struct api;

/* For the Firecracker of this VM; NULL: no memory. Nothing is connected yet. */
struct api *api_open(const struct banger_host *host, struct banger_call *call);
void api_close(struct api *api);
/* `body` (NULL: none) is borrowed; `answer` (NULL: not wanted) gets what GET returns, a new
 * reference. */
enum api_result api_request(struct api *api, const char *method, const char *path,
                            const json_t *body, json_t **answer);
/* Makes the socket its owner's alone; after a request that was answered. */
int api_restrict(const struct api *api);
/* What the last request came to, for people: "PUT /vsock: Firecracker refused it: ...". */
const char *api_text(const struct api *api);
/* host->fail with that. */
int api_fail(const struct api *api);

/* -- configure.c: the machine document as requests. Pure. ---------------------------------------- */

struct configure_options {
    uint32_t guest_cid;
    const char *vsock_path;
    const char *kernel; /* where Firecracker finds them: other paths in a jail */
    const char *initramfs;
    const json_t *drive_paths; /* ["..."], one a drive in the document's order; NULL: its own */
};

/* [{"method","path","body"}] in the order in which they have to be sent, without InstanceStart. NULL:
 * `reason` (static text) says what Firecracker cannot do. */
json_t *configure_build(const json_t *machine, const struct configure_options *options,
                        const char **reason);

/* -- jail.c: what the jailer's chroot needs -------------------------------------------------------
 */

struct jail {
    bool wanted;
    char jailer[PATH_MAX]; /* the program */
    char folder[PATH_MAX]; /* BASE/EXEC/ID: what the cleanup removes */
    char root[PATH_MAX];   /* below it: the chroot */
    char base[PATH_MAX];
    uid_t uid;
    gid_t gid;
};

/* Reads the keys; `jail->wanted` says whether there is to be one. */
int jail_read(const struct banger_host *host, struct banger_call *call,
              const struct program *program, struct jail *jail);
/* Whether it could be: privilege, the jailer, its ids. Changes nothing. */
int jail_check(const struct banger_host *host, struct banger_call *call, const struct jail *jail);
/* Makes the chroot and puts the machine's files in it; `options` gets their paths inside. The caller
 * frees `options->drive_paths`. */
int jail_fill(const struct banger_host *host, struct banger_call *call, const struct jail *jail,
              const json_t *machine, struct configure_options *options);
/* The jailer's arguments, to which Firecracker's own are added. */
json_t *jail_argv(const struct banger_host *host, struct banger_call *call, const struct jail *jail,
                  const struct program *program);
/* Removes the chroots that the journal names. Idempotent. */
int jail_remove(const struct banger_host *host, struct banger_call *call);

/* -- launch.c -------------------------------------------------------------------------------------
 */

int firecracker_launch(const struct banger_host *host, struct banger_call *call);
/* Unlinks the sockets of a run that is over. */
int launch_unlink_sockets(const struct banger_host *host, struct banger_call *call);
/* BASE/NAME, whole or not at all; <0 after host->fail. */
int launch_path(const struct banger_host *host, struct banger_call *call, char path[PATH_MAX],
                const char *folder, const char *name);

#endif
