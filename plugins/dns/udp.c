/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams, by the batch: one system call takes up to BATCH queries, one sends their answers. */
#include "loop.h"

#include <stdlib.h>

#define BATCH 64
#define BATCHES_MAX 4 /* a round; then the other descriptors have their turn */

struct udp_batch {
    struct mmsghdr in[BATCH];
    struct mmsghdr out[BATCH];
    struct iovec in_part[BATCH];
    struct iovec out_part[BATCH];
    struct endpoint peers[BATCH];
    uint8_t queries[BATCH][MESSAGE_QUERY];
    uint8_t answers[BATCH][ANSWER_MAX];
};

struct udp_batch *udp_batch_new(void)
{
    struct udp_batch *batch = calloc(1, sizeof(*batch));

    for (size_t i = 0; batch != NULL && i < BATCH; i++) {
        batch->in_part[i] = (struct iovec){batch->queries[i], MESSAGE_QUERY};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i].storage, .msg_iov = &batch->in_part[i], .msg_iovlen = 1};
        batch->out[i].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

/* How many were received. */
static int receive(struct udp_batch *batch, int fd)
{
    for (size_t i = 0; i < BATCH; i++) {
        batch->in[i].msg_hdr.msg_namelen = sizeof(batch->peers[i].storage);
    }
    return recvmmsg(fd, batch->in, BATCH, MSG_DONTWAIT, NULL);
}

/* Asks for message `i`; its answer becomes the batch's answer number `answered`. */
static unsigned ask(struct server *server, struct listener *listener, size_t i, unsigned answered)
{
    struct udp_batch *batch = server->batch;
    struct client client = {.listener = listener, .peer = batch->peers[i]};
    size_t length;

    client.peer.length = batch->in[i].msg_hdr.msg_namelen;
    if ((batch->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 || endpoint_port(&client.peer) == 0) {
        return answered;
    }
    length = server_ask(server, &client, batch->queries[i], batch->in[i].msg_len,
                        batch->answers[answered]);
    if (length == 0) {
        return answered;
    }
    batch->out_part[answered] = (struct iovec){batch->answers[answered], length};
    batch->out[answered].msg_hdr = (struct msghdr){.msg_name = &batch->peers[i].storage,
                                                   .msg_namelen = client.peer.length,
                                                   .msg_iov = &batch->out_part[answered],
                                                   .msg_iovlen = 1};
    return answered + 1;
}

/* One that cannot be sent (its asker is gone) is passed over; when there is no room, all are. */
static void send_answers(struct udp_batch *batch, int fd, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        int sent = sendmmsg(fd, batch->out + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        done += sent > 0 ? (unsigned)sent : 1;
    }
}

void udp_ready(struct server *server, struct watch *watch, uint32_t events)
{
    struct listener *listener =
        (struct listener *)(void *)((char *)watch - offsetof(struct listener, udp));
    int count = BATCH;

    (void)events;
    for (int round = 0; round < BATCHES_MAX && count == BATCH; round++) {
        unsigned answered = 0;

        count = receive(server->batch, watch->fd);
        for (int i = 0; i < count; i++) {
            answered = ask(server, listener, (size_t)i, answered);
        }
        send_answers(server->batch, watch->fd, answered);
    }
}

void udp_send(const struct client *client, const uint8_t *wire, size_t length)
{
    (void)sendto(client->listener->udp.fd, wire, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                 &client->peer.any, client->peer.length);
}
