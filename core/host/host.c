/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include "base/str.h"
#include "host/firewall_seal.h"
#include "host/nft.h"
#include "host/tap_pool.h"
#include "host/uplink.h"

#include <stdio.h>
#include <stdlib.h>

struct host *host_new(const char *instance, const char *run_dir, const char *state_dir)
{
    struct host *host = xcalloc(1, sizeof(*host));
    (void)snprintf(host->instance, sizeof(host->instance), "%s", instance);
    host->run_dir = xstrdup(run_dir);
    host->state_dir = xstrdup(state_dir);
    (void)pthread_mutex_init(&host->nft_lock, NULL);
    (void)pthread_mutex_init(&host->lock, NULL);
    return host;
}

void host_free(struct host *host)
{
    if (host == NULL) {
        return;
    }
    uplink_close(host); /* its thread uses nft */
    tap_pool_close(host);
    nft_close(host);
    firewall_seal_free(host->seal);
    (void)pthread_mutex_destroy(&host->lock);
    (void)pthread_mutex_destroy(&host->nft_lock);
    free(host->run_dir);
    free(host->state_dir);
    free(host);
}
