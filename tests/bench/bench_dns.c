/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many queries a second the dns plugin's server answers on one core: A records by UDP, over
 * loopback, with a window of queries under way. Prints one JSON line.
 *
 *   bench_dns [SECONDS]
 *
 * `per_cpu_second` is what the server's thread would answer if it had its processor for itself.
 * The server's thread is pinned to the first processor that we have, the client to the last: where
 * there is one only, both share it and the figure is of both.
 */
#include "server.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAMES 100  /* VMs in the zone */
#define WINDOW 256 /* queries under way */
#define BATCH 64
#define WIRE_MAX 64 /* a query */

struct bench {
    int fd;
    uint8_t queries[NAMES][WIRE_MAX];
    size_t lengths[NAMES];
    struct mmsghdr out[BATCH];
    struct iovec out_part[BATCH];
    struct mmsghdr in[BATCH];
    struct iovec in_part[BATCH];
    uint8_t answers[BATCH][MESSAGE_EDNS];
    unsigned next;
    int64_t answered;
    int64_t lost;
};

static double read_clock(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The calling thread, and those it starts, run on the first or last processor that is ours. */
static int pin(bool first)
{
    cpu_set_t ours;
    cpu_set_t one;
    int chosen = -1;

    static cpu_set_t all;
    static bool known;

    if (!known && sched_getaffinity(0, sizeof(all), &all) < 0) {
        die("sched_getaffinity");
    }
    known = true;
    ours = all;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &ours) && (chosen < 0 || !first)) {
            chosen = i;
        }
    }
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    if (sched_setaffinity(0, sizeof(one), &one) < 0) {
        die("sched_setaffinity");
    }
    return chosen;
}

static struct zone *make_zone(struct bench *bench)
{
    struct zone *zone = zone_new((const uint8_t *)"\2vm", 4, 5);
    const struct address none = {.family = AF_UNSPEC};

    for (unsigned i = 0; i < NAMES; i++) {
        const struct address v4 = {.family = AF_INET, .bytes = {172, 16, 0, (uint8_t)(i + 2)}};
        const uint8_t header[12] = {0, 0, 1, 0, 0, 1};
        uint8_t *query = bench->queries[i];
        char name[16];
        int length = snprintf(name, sizeof(name), "vm%u", i);

        if (zone == NULL || !zone_put_host(zone, name, name, &v4, &none)) {
            die("zone");
        }
        memcpy(query, header, sizeof(header));
        query[12] = (uint8_t)length;
        memcpy(query + 13, name, (size_t)length);
        memcpy(query + 13 + length, "\2vm\0\0\1\0\1", 8);
        bench->lengths[i] = 13u + (size_t)length + 8;
    }
    return zone;
}

static void set_up_batches(struct bench *bench)
{
    for (size_t i = 0; i < BATCH; i++) {
        bench->in_part[i] = (struct iovec){bench->answers[i], sizeof(bench->answers[i])};
        bench->in[i].msg_hdr = (struct msghdr){.msg_iov = &bench->in_part[i], .msg_iovlen = 1};
        bench->out[i].msg_hdr = (struct msghdr){.msg_iov = &bench->out_part[i], .msg_iovlen = 1};
    }
}

static void send_batch(struct bench *bench)
{
    for (size_t i = 0; i < BATCH; i++) {
        unsigned which = bench->next++ % NAMES;

        bench->out_part[i] = (struct iovec){bench->queries[which], bench->lengths[which]};
    }
    if (sendmmsg(bench->fd, bench->out, BATCH, 0) != BATCH) {
        die("sendmmsg");
    }
}

/* A datagram that was dropped would shrink the window for good: after 100 ms of silence the batch is
 * lost, and another one is sent. */
static void receive_batch(struct bench *bench)
{
    for (int left = BATCH; left > 0;) {
        int got = recvmmsg(bench->fd, bench->in, (unsigned)left, MSG_WAITFORONE, NULL);

        if (got <= 0) {
            bench->lost += left;
            return;
        }
        for (int i = 0; i < got; i++) {
            /* NOERROR and one answer: nothing else counts. */
            bench->answered += (bench->answers[i][3] & 0x0f) == 0 && bench->answers[i][7] == 1;
        }
        left -= got;
    }
}

static double run(struct bench *bench, double seconds)
{
    double begun = read_clock(CLOCK_MONOTONIC);
    double end = begun + seconds;

    for (int i = 0; i < WINDOW / BATCH; i++) {
        send_batch(bench);
    }
    bench->answered = 0;
    while (read_clock(CLOCK_MONOTONIC) < end) {
        receive_batch(bench);
        send_batch(bench);
    }
    return read_clock(CLOCK_MONOTONIC) - begun;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const struct address loopback = {.family = AF_INET, .bytes = {127, 0, 0, 1}};
    const struct server_options options = {.resolv_conf = "/etc/resolv.conf"};
    const struct timeval patience = {.tv_usec = 100000};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    struct zone *zone = make_zone(&bench);
    int server_cpu = pin(true);
    struct server *server = server_new(zone, &options);
    int client_cpu = pin(false);
    struct endpoint at;
    double took;
    double busy; /* the server's thread, in seconds of a processor */

    endpoint_make(&loopback, 0, &at);
    if (server == NULL || server_listen(server, &at, ANSWER_LOCAL, &at) < 0) {
        die("server");
    }
    bench.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(bench.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (bench.fd < 0 || connect(bench.fd, &at.any, at.length) < 0) {
        die("connect");
    }
    set_up_batches(&bench);
    took = run(&bench, seconds);
    busy = read_clock(CLOCK_PROCESS_CPUTIME_ID) - read_clock(CLOCK_THREAD_CPUTIME_ID);
    (void)printf("{\"name\": \"dns queries by UDP\", \"unit\": \"queries/s\", \"value\": %.0f, "
                 "\"per_cpu_second\": %.0f, \"answered\": %lld, \"lost\": %lld, \"server_cpu\": "
                 "%d, \"client_cpu\": %d}\n",
                 (double)bench.answered / took, (double)bench.answered / busy,
                 (long long)bench.answered, (long long)bench.lost, server_cpu, client_cpu);
    (void)close(bench.fd);
    server_free(server);
    zone_free(zone);
    return 0;
}
