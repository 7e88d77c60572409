/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests' queries for names that are not ours.
 *
 * 1. Each becomes a job with a socket of its own: the kernel chooses the source port, we a random id,
 *    and a connected socket hears its upstream only. The question must come back as it was sent.
 * 2. It goes the way it came. A long answer comes truncated by UDP and is passed on so; the guest
 *    asks again by TCP, as it would without us, and so do we.
 * 3. Silence for PATIENCE_MS, an error, SERVFAIL or REFUSED: the next upstream. None left: what the
 *    last one said, or SERVFAIL.
 * 4. A job ends with its answer, with its connection, or with the server. Jobs are bounded, in all and
 *    a guest: what is too much is told SERVFAIL at once. A repeated query has its job already.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

/* Three upstreams have their turn within the five seconds that a C library waits (resolv.conf(5)). */
#define PATIENCE_MS 1500
#define DATAGRAMS_MAX 8 /* a round; forged ones do not keep us from the rest */

struct job {
    struct watch watch; /* first: it is what gets freed; fd -1: no upstream is being asked */
    struct client client;
    struct query query; /* of `message` */
    uint16_t id;        /* the client's; upstream gets another */
    int64_t until_ms;
    struct endpoint upstreams[SERVER_UPSTREAMS_MAX];
    size_t upstream_count;
    size_t next; /* the upstream that is asked next */
    bool connecting;
    size_t sent;
    size_t in_used;
    uint8_t *in; /* TCP: length and answer */
    size_t length;
    uint8_t prefix[2]; /* TCP: the length, before the message */
    uint8_t message[MESSAGE_QUERY];
};

static bool by_tcp(const struct job *job)
{
    return job->client.connection != NULL;
}

/* -- The end of a job -- */

/* Out of the list; the memory stays until the round is over. */
static void remove_job(struct server *server, struct job *job)
{
    for (size_t i = 0; i < server->job_count; i++) {
        if (server->jobs[i] == job) {
            server->jobs[i] = server->jobs[--server->job_count];
            break;
        }
    }
    free(job->in);
    job->in = NULL;
    server_unwatch(server, &job->watch);
}

/* `wire` is upstream's answer, with its question checked. */
static void finish(struct server *server, struct job *job, uint8_t *wire, size_t length)
{
    remove_job(server, job);
    message_put16(wire, job->id);
    message_put16(job->message, job->id);
    memcpy(wire + MESSAGE_HEADER, job->message + MESSAGE_HEADER, job->query.name_length);
    /* Beyond our own limit only what the guest itself has offered to take. */
    if (!by_tcp(job) && length > query_limit(&job->query) && length > job->query.edns_size) {
        length = message_reply(&job->query, (enum message_rcode)(wire[3] & 0x0f),
                               MESSAGE_TC | MESSAGE_RA, wire);
    }
    client_send(server, &job->client, wire, length);
}

static void fail(struct server *server, struct job *job)
{
    uint8_t answer[ANSWER_MAX];
    size_t length;

    remove_job(server, job);
    message_put16(job->message, job->id);
    length = message_reply(&job->query, MESSAGE_SERVFAIL, MESSAGE_RA, answer);
    client_send(server, &job->client, answer, length);
}

/* -- Asking one upstream -- */

static void stop_asking(struct server *server, struct job *job)
{
    if (job->watch.fd >= 0) {
        (void)epoll_ctl(server->epoll, EPOLL_CTL_DEL, job->watch.fd, NULL);
        (void)close(job->watch.fd);
        job->watch.fd = -1;
    }
    job->connecting = false;
    job->sent = 0;
    job->in_used = 0;
}

/* TCP: the rest of length and message. */
static bool send_stream(struct server *server, struct job *job)
{
    while (job->sent < 2 + job->length) {
        bool prefix = job->sent < 2;
        const uint8_t *from = prefix ? job->prefix + job->sent : job->message + job->sent - 2;
        ssize_t sent = send(job->watch.fd, from, (prefix ? 2 : 2 + job->length) - job->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL | (prefix ? MSG_MORE : 0));

        if (sent < 0) {
            return errno == EAGAIN;
        }
        job->sent += (size_t)sent;
    }
    server_rewatch(server, &job->watch, EPOLLIN);
    return true;
}

static bool connect_to(struct server *server, struct job *job, const struct endpoint *upstream)
{
    int type = by_tcp(job) ? SOCK_STREAM : SOCK_DGRAM;

    job->watch.fd = socket(upstream->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (job->watch.fd < 0 ||
        server_watch(server, &job->watch, by_tcp(job) ? EPOLLOUT : EPOLLIN) < 0) {
        return false;
    }
    if (connect(job->watch.fd, &upstream->any, upstream->length) < 0) {
        job->connecting = by_tcp(job) && errno == EINPROGRESS;
        return job->connecting;
    }
    return true;
}

static bool ask_upstream(struct server *server, struct job *job, const struct endpoint *upstream)
{
    uint16_t id;

    if (getrandom(&id, sizeof(id), 0) != sizeof(id) || !connect_to(server, job, upstream)) {
        return false;
    }
    message_put16(job->message, id);
    if (by_tcp(job)) {
        return job->connecting || send_stream(server, job);
    }
    return send(job->watch.fd, job->message, job->length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)job->length;
}

/* The next upstream that can be asked; false: there is none. */
static bool ask_next(struct server *server, struct job *job)
{
    while (job->next < job->upstream_count) {
        const struct endpoint *upstream = &job->upstreams[job->next++];

        stop_asking(server, job);
        if (ask_upstream(server, job, upstream)) {
            job->until_ms = server->now_ms + PATIENCE_MS;
            return true;
        }
    }
    stop_asking(server, job);
    return false;
}

static void go_on(struct server *server, struct job *job)
{
    if (!ask_next(server, job)) {
        fail(server, job);
    }
}

/* -- Answers -- */

/* Is it the answer to our question? Then it is dealt with. */
static bool take_answer(struct server *server, struct job *job, uint8_t *wire, size_t length)
{
    uint8_t rcode;

    if (!message_answers(wire, length, message_get16(job->message), &job->query)) {
        return false;
    }
    rcode = wire[3] & 0x0f;
    if ((rcode == MESSAGE_SERVFAIL || rcode == MESSAGE_REFUSED) &&
        job->next < job->upstream_count) {
        go_on(server, job);
    } else {
        finish(server, job, wire, length);
    }
    return true;
}

static void datagram_ready(struct server *server, struct job *job)
{
    for (int i = 0; i < DATAGRAMS_MAX; i++) {
        ssize_t got = recv(job->watch.fd, server->scratch, MESSAGE_MAX, MSG_DONTWAIT);

        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got < 0) { /* ICMP says that nobody is there */
            go_on(server, job);
            return;
        }
        if (take_answer(server, job, server->scratch, (size_t)got)) {
            return;
        }
    }
}

/* How many bytes of length and answer are still to come. */
static size_t missing(const struct job *job)
{
    size_t whole = job->in_used < 2 ? 2 : 2u + message_get16(job->in);

    return whole - job->in_used;
}

/* False: it ended, or sent what is no answer. */
static bool receive_stream(struct server *server, struct job *job)
{
    if (job->in == NULL && (job->in = malloc(2 + MESSAGE_MAX)) == NULL) {
        return false;
    }
    while (job->in_used < 2 || missing(job) > 0) {
        ssize_t got = recv(job->watch.fd, job->in + job->in_used, missing(job), MSG_DONTWAIT);

        if (got < 0 && errno == EAGAIN) {
            return true;
        }
        if (got <= 0) {
            return false;
        }
        job->in_used += (size_t)got;
    }
    /* Out of the job's buffer: that one goes with the job, before the answer is sent. */
    memcpy(server->scratch, job->in + 2, job->in_used - 2);
    return take_answer(server, job, server->scratch, job->in_used - 2);
}

static bool stream_ready(struct server *server, struct job *job, uint32_t events)
{
    if ((events & EPOLLOUT) != 0) {
        int reason = 0;
        socklen_t size = sizeof(reason);

        if (getsockopt(job->watch.fd, SOL_SOCKET, SO_ERROR, &reason, &size) < 0 || reason != 0) {
            return false;
        }
        job->connecting = false;
        if (!send_stream(server, job)) {
            return false;
        }
    }
    return (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || receive_stream(server, job);
}

static void job_ready(struct server *server, struct watch *watch, uint32_t events)
{
    struct job *job = (struct job *)(void *)watch;

    if (job->watch.fd < 0) {
        return;
    }
    if (!by_tcp(job)) {
        datagram_ready(server, job);
    } else if (!stream_ready(server, job, events)) {
        go_on(server, job);
    }
}

/* -- The table -- */

static bool is_same(const struct job *job, const struct client *client, const struct query *query)
{
    return job->client.connection == NULL && client->connection == NULL &&
           job->client.listener == client->listener &&
           endpoint_equal(&job->client.peer, &client->peer) &&
           job->id == message_get16(query->wire) &&
           job->query.question_end == query->question_end && job->query.type == query->type &&
           memcmp(job->query.name, query->name, query->name_length) == 0;
}

/* Is there room for one more of this client's? */
static bool has_room(const struct server *server, const struct client *client)
{
    struct address peer = endpoint_address(&client->peer);
    size_t count = 0;

    for (size_t i = 0; i < server->job_count; i++) {
        struct address address = endpoint_address(&server->jobs[i]->client.peer);

        count += address_equal(&address, &peer) ? 1 : 0;
    }
    return server->job_count < JOBS_MAX && count < JOBS_PER_PEER;
}

static bool is_waiting(const struct server *server, const struct client *client,
                       const struct query *query)
{
    for (size_t i = 0; i < server->job_count; i++) {
        if (is_same(server->jobs[i], client, query)) {
            return true;
        }
    }
    return false;
}

static struct job *new_job(struct server *server, const struct client *client,
                           const struct query *query, size_t length)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->watch = (struct watch){.ready = job_ready, .fd = -1};
    job->client = *client;
    job->length = length;
    memcpy(job->message, query->wire, length);
    message_put16(job->prefix, (uint16_t)length);
    job->query = *query;
    job->query.wire = job->message;
    job->id = message_get16(query->wire);
    job->upstream_count = resolv_upstreams(server, job->upstreams);
    return job;
}

size_t forward_query(struct server *server, const struct client *client, const struct query *query,
                     size_t length, uint8_t out[ANSWER_MAX])
{
    struct job *job;

    if (is_waiting(server, client, query)) {
        return 0;
    }
    job = has_room(server, client) ? new_job(server, client, query, length) : NULL;
    if (job != NULL && ask_next(server, job)) {
        server->jobs[server->job_count++] = job;
        return 0;
    }
    free(job);
    return message_reply(query, MESSAGE_SERVFAIL, MESSAGE_RA, out);
}

void forward_sweep(struct server *server)
{
    /* What ends here may end others with it: then one is looked at in the next sweep. */
    for (size_t i = server->job_count; i-- > 0;) {
        if (i < server->job_count && server->now_ms >= server->jobs[i]->until_ms) {
            go_on(server, server->jobs[i]);
        }
    }
}

void forward_forget(struct server *server, const struct connection *connection)
{
    for (size_t i = server->job_count; i-- > 0;) {
        if (connection == NULL || server->jobs[i]->client.connection == connection) {
            remove_job(server, server->jobs[i]);
        }
    }
}

bool forward_waits(const struct server *server, const struct connection *connection)
{
    for (size_t i = 0; i < server->job_count; i++) {
        if (server->jobs[i]->client.connection == connection) {
            return true;
        }
    }
    return false;
}
