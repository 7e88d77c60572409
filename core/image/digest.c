/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "digest.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

/* One look at `cancelled` a MiB: every two milliseconds or so. */
#define DIGEST_BLOCK ((size_t)1024 * 1024)

static void digest_free(EVP_MD_CTX **digest)
{
    EVP_MD_CTX_free(*digest);
}

static int digest_feed(const struct image_context *context, EVP_MD_CTX *digest, int fd,
                       banger_error *err)
{
    AUTO_FREE char *block = xmalloc(DIGEST_BLOCK);
    for (off_t at = 0;;) {
        if (context != NULL && context_check(context, err) < 0) {
            return -1;
        }
        ssize_t got = pread(fd, block, DIGEST_BLOCK, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_sys(err, errno, "cannot read a file for its digest");
        }
        if (got == 0) {
            return 0;
        }
        if (EVP_DigestUpdate(digest, block, (size_t)got) != 1) {
            return error_set(err, BANGER_EINTERNAL, "libcrypto failed to update a SHA-256");
        }
        at += got;
    }
}

int digest_file(const struct image_context *context, int fd, char digest[DIGEST_LENGTH + 1],
                banger_error *err)
{
    AUTO(digest_free) EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (state == NULL || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1) {
        return error_set(err, BANGER_EUNSUPPORTED, "libcrypto offers no SHA-256");
    }
    if (digest_feed(context, state, fd, err) < 0) {
        return -1;
    }
    unsigned char raw[DIGEST_LENGTH / 2];
    if (EVP_DigestFinal_ex(state, raw, NULL) != 1) {
        return error_set(err, BANGER_EINTERNAL, "libcrypto failed to finish a SHA-256");
    }
    for (size_t i = 0; i < sizeof(raw); i++) {
        (void)snprintf(digest + 2 * i, 3, "%02x", raw[i]);
    }
    return 0;
}
