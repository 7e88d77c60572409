/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of a VM in known_hosts.
 *
 * 1. Our clients pin by name: NAME.vm. Somebody may have used the bare name or the address with the
 *    file; an address is gone from the VM's record when it does not run, so `postStart` writes each
 *    one down in the VM's folder.
 * 2. `ssh-keygen -R` removes: it knows hashed entries too. It wants a host as the file has it, and
 *    one at another port is there as "[HOST]:PORT": the file is looked through for those.
 * 3. Under the lock, since ssh-keygen replaces the file. A client that adds an entry in that moment
 *    may lose it, and asks the VM for its key again next time.
 */
#include "known_hosts.h"

#include <banger/json.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES "ssh-addresses" /* in the VM's folder, which goes with it */
#define HOST_MAX 256              /* a DNS name and a port */
#define HOSTS_MAX 64              /* of one VM; more are left to whoever made them */

struct hosts {
    char names[HOSTS_MAX][HOST_MAX];
    size_t count;
};

static void hosts_add(struct hosts *hosts, const char *name, size_t length)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (strncmp(hosts->names[i], name, length) == 0 && hosts->names[i][length] == '\0') {
            return;
        }
    }
    if (hosts->count < HOSTS_MAX && length > 0 && length < HOST_MAX) {
        (void)snprintf(hosts->names[hosts->count++], HOST_MAX, "%.*s", (int)length, name);
    }
}

static int addresses_path(const struct banger_host *host, struct banger_call *call,
                          char path[PATH_MAX])
{
    const char *dir = host->get_string(call, "vm.dir", NULL);

    if (dir == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no folder");
    }
    return ssh_path(host, call, path, "%s/" ADDRESSES, dir);
}

static void addresses_read(const char *path, struct hosts *hosts)
{
    FILE *file = fopen(path, "re");
    char line[HOST_MAX];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        hosts_add(hosts, line, strcspn(line, "\n"));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

int pins_remember(const struct banger_host *host, struct banger_call *call, const char *address)
{
    struct hosts hosts = {.count = 0};
    char path[PATH_MAX];

    if (addresses_path(host, call, path) < 0) {
        return -1;
    }
    addresses_read(path, &hosts);
    size_t before = hosts.count;
    hosts_add(&hosts, address, strlen(address));
    if (hosts.count == before) {
        return 0;
    }
    FILE *file = fopen(path, "ae");
    int failed = file == NULL || fprintf(file, "%s\n", address) < 0;
    if (file != NULL) {
        failed = fclose(file) != 0 || failed;
    }
    return failed ? host->fail(call, BANGER_EIO, "cannot write %s: %s", path, strerror(errno)) : 0;
}

/* `word` as "[HOST]:PORT", HOST being one of the first `known`. */
static void hosts_add_port(struct hosts *hosts, size_t known, const char *word)
{
    const char *end = word[0] == '[' ? strstr(word, "]:") : NULL;

    for (size_t i = 0; end != NULL && i < known; i++) {
        size_t length = strlen(hosts->names[i]);

        if ((size_t)(end - word - 1) == length && memcmp(word + 1, hosts->names[i], length) == 0) {
            hosts_add(hosts, word, strlen(word));
        }
    }
}

/* The first field of a line is a list of hosts, sshd(8). */
static void hosts_add_ports(struct hosts *hosts, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t known = hosts->count;
    char line[8192]; /* a longer line is no entry that a client of ours made */

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *rest = NULL;

        line[strcspn(line, " \t\n")] = '\0';
        for (char *word = strtok_r(line, ",", &rest); word != NULL;
             word = strtok_r(NULL, ",", &rest)) {
            hosts_add_port(hosts, known, word);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static int host_remove(const struct banger_host *host, struct banger_call *call, const char *name,
                       const char *file)
{
    json_t *result = banger_json_run(
        host, call, json_pack("[s, s, s, s, s]", ssh_keygen(), "-R", name, "-f", file));
    if (result == NULL) {
        return -1;
    }
    /* Of a file that somebody has spoilt, say. The VM is not kept for that: ssh itself will say what
     * is wrong with the file, and with a key that is not the one it knows. */
    if (json_integer_value(json_object_get(result, "status")) != 0) {
        host->log(call, BANGER_LOG_WARN, "ssh-keygen cannot remove %s from %s: %.300s", name, file,
                  json_string_value(json_object_get(result, "stderr")));
    }
    json_decref(result);
    return 0;
}

static int hosts_remove(const struct banger_host *host, struct banger_call *call,
                        const struct hosts *hosts, const struct ssh_files *files)
{
    char old[PATH_MAX];
    int failed = ssh_path(host, call, old, "%s.old", files->hosts);

    for (size_t i = 0; failed == 0 && i < hosts->count; i++) {
        failed = host_remove(host, call, hosts->names[i], files->hosts);
        (void)unlink(old); /* ssh-keygen's backup: of pins that are meant to be gone */
    }
    return failed;
}

int pins_forget(const struct banger_host *host, struct banger_call *call,
                const struct ssh_files *files)
{
    const char *name = host->get_string(call, "vm.name", "");
    struct hosts hosts = {.count = 0};
    char path[PATH_MAX];
    char full[HOST_MAX];

    if (access(files->hosts, F_OK) < 0 || ssh_keygen() == NULL) {
        return 0;
    }
    (void)snprintf(full, sizeof(full), "%s.vm", name);
    hosts_add(&hosts, full, strlen(full));
    hosts_add(&hosts, name, strlen(name));
    if (addresses_path(host, call, path) < 0) {
        return -1;
    }
    addresses_read(path, &hosts);
    int lock = ssh_lock(host, call, files);
    if (lock < 0) {
        return -1;
    }
    hosts_add_ports(&hosts, files->hosts);
    int failed = hosts_remove(host, call, &hosts, files);
    (void)close(lock);
    return failed;
}
