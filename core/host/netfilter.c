/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/netfilter.h"

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <pthread.h>
#include <stdbool.h>

/* Of the process: it has one network namespace. Whoever comes while it is taken opens another one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nl_sock *kept;

static struct nl_sock *exchange(struct nl_sock *sock)
{
    (void)pthread_mutex_lock(&lock);
    struct nl_sock *before = kept;
    kept = sock;
    (void)pthread_mutex_unlock(&lock);
    return before;
}

int netfilter_take(struct nl_sock **sock)
{
    *sock = exchange(NULL);
    if (*sock != NULL) {
        return 0;
    }
    struct nl_sock *made = nl_socket_alloc();
    int result = made != NULL ? nl_connect(made, NETLINK_NETFILTER) : -NLE_NOMEM;
    if (result < 0) {
        nl_socket_free(made);
        return result;
    }
    *sock = made;
    return 0;
}

/* After any other failure something of the answer may still be on its way. */
static bool is_clean(int result)
{
    return result >= 0 || result == -NLE_OBJ_NOTFOUND || result == -NLE_DUMP_INTR;
}

void netfilter_give_back(struct nl_sock *sock, int result)
{
    if (sock == NULL) {
        return;
    }
    if (is_clean(result)) {
        (void)nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
        sock = exchange(sock);
    }
    nl_socket_free(sock);
}
