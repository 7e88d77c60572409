/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/nft.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

/* Where libnftables cannot open its socket, it ends the process (netlink_init_error in its
 * src/netlink.c): so it is tried first. */
static int probe_socket(banger_error *err)
{
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd >= 0) {
        return 0;
    }
    if (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT) {
        return error_set(err, BANGER_EUNSUPPORTED, "this kernel has no netfilter");
    }
    return error_sys(err, errno, "cannot open a netfilter socket");
}

/* Under the lock. */
static int open_context(struct host *host, banger_error *err)
{
    if (host->nft != NULL) {
        return 0;
    }
    if (probe_socket(err) < 0) {
        return -1;
    }
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
    if (context == NULL || nft_ctx_buffer_output(context) != 0 ||
        nft_ctx_buffer_error(context) != 0) {
        nft_ctx_free(context);
        return error_set(err, BANGER_EIO, "cannot set libnftables up");
    }
    host->nft = context;
    return 0;
}

/* libnftables hands no code out, only text that ends in strerror's words. */
static enum banger_code code_of(const char *words)
{
    static const struct {
        int errno_value;
        enum banger_code code;
    } table[] = {
        {EPERM, BANGER_EPERMISSION},
        {EACCES, BANGER_EPERMISSION},
        {ENOENT, BANGER_ENOTFOUND},
        {EEXIST, BANGER_EEXISTS},
        {EBUSY, BANGER_EBUSY},
        {EOPNOTSUPP, BANGER_EUNSUPPORTED},
        {EAFNOSUPPORT, BANGER_EUNSUPPORTED},
        {EPROTONOSUPPORT, BANGER_EUNSUPPORTED},
        {ENFILE, BANGER_EFULL},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strstr(words, strerror(table[i].errno_value)) != NULL) {
            return table[i].code;
        }
    }
    return BANGER_EIO;
}

/* The first line says what and why; below it come our own text and a row of carets. */
static int fail(struct host *host, banger_error *err)
{
    const char *words = str_or(nft_ctx_get_error_buffer(host->nft), "");
    size_t length = strcspn(words, "\n");
    AUTO_FREE char *line = str_format("%.*s", (int)length, words);
    (void)error_set(err, code_of(line), "nft: %s", length > 0 ? line : "failed without a word");
    if (code_of(line) == BANGER_EPERMISSION) {
        (void)error_hint(err, "run the daemon as root, or with CAP_NET_ADMIN");
    }
    return -1;
}

/* Under the lock. The buffers of an earlier command are emptied by being read. */
static int run_locked(struct host *host, const char *commands, unsigned flags, char **output,
                      banger_error *err)
{
    if (open_context(host, err) < 0) {
        return -1;
    }
    nft_ctx_output_set_flags(host->nft, flags);
    int status = nft_run_cmd_from_buffer(host->nft, commands);
    AUTO_FREE char *text = xstrdup(str_or(nft_ctx_get_output_buffer(host->nft), ""));
    if (status != 0) {
        return fail(host, err);
    }
    (void)nft_ctx_get_error_buffer(host->nft);
    if (output != NULL) {
        *output = STEAL(text);
    }
    return 0;
}

static int run(struct host *host, const char *commands, unsigned flags, char **output,
               banger_error *err)
{
    (void)pthread_mutex_lock(&host->nft_lock);
    int result = run_locked(host, commands, flags, output, err);
    (void)pthread_mutex_unlock(&host->nft_lock);
    return result;
}

int nft_run(struct host *host, const char *commands, banger_error *err)
{
    return run(host, commands, 0, NULL, err);
}

json_t *nft_list(struct host *host, const char *command, banger_error *err)
{
    AUTO_FREE char *text = NULL;
    /* Protocols as numbers: their names come from /etc/protocols, which a small host lacks. */
    unsigned flags = NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO;
    if (run(host, command, flags, &text, err) < 0) {
        return NULL;
    }
    AUTO_JSON json_t *all = json_parse("what nft lists", text, strlen(text), err);
    if (all == NULL) {
        return NULL;
    }
    json_t *list = json_object_get(all, "nftables");
    if (!json_is_array(list)) {
        (void)error_set(err, BANGER_EIO, "nft listed something else than an array");
        return NULL;
    }
    return json_incref(list);
}

void nft_close(struct host *host)
{
    (void)pthread_mutex_lock(&host->nft_lock);
    if (host->nft != NULL) {
        nft_ctx_free(STEAL(host->nft));
    }
    (void)pthread_mutex_unlock(&host->nft_lock);
}
