/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets to netfilter, used again. To close one makes the kernel wait until it has destroyed all that
 * nft transactions took away (nft_rcv_nl_event, net/netfilter/nf_tables_api.c): up to some 20 ms, for an
 * RCU grace period. Between the operations of a start and a stop one is kept instead.
 */
#ifndef HOST_NETFILTER_H
#define HOST_NETFILTER_H

#include <netlink/socket.h>

/* A connected socket, the caller's alone until it gives it back. A libnl result. */
int netfilter_take(struct nl_sock **sock);
/* `result`: of the last request on it, whose answer has been read. NULL is allowed. */
void netfilter_give_back(struct nl_sock *sock, int result);

#endif
