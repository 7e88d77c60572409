/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as what Firecracker answers on its API socket; the first says what is in front of them. A thread is the peer: it hears the request, sends them
 * and hangs up, so that nothing waits. */
#include "firecracker.h"

#include <banger/test.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_host *fake;
static char folder[] = "/tmp/fuzz-firecracker.XXXXXX";
static char place[sizeof(folder) + sizeof(API_SOCKET)];
static int listener;
static sem_t served;
static const char *head; /* these change only between two connections */
static const uint8_t *answer_bytes;
static size_t answer_size;

static void converse(int fd)
{
    char text[4096];
    size_t have = 0;

    while (have < sizeof(text) && memmem(text, have, "\r\n\r\n", 4) == NULL) {
        ssize_t got = recv(fd, text + have, sizeof(text) - have, 0);

        if (got <= 0) {
            return;
        }
        have += (size_t)got;
    }
    (void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
    (void)!send(fd, answer_bytes, answer_size, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
}

static void *serve(void *context)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            converse(fd);
            (void)close(fd);
            (void)sem_post(&served);
        }
    }
    return context;
}

static void clean_up(void)
{
    (void)unlink(place);
    (void)rmdir(folder);
    fake_host_free(fake);
}

static void set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    (void)snprintf(place, sizeof(place), "%s/" API_SOCKET, folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", place);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1) < 0 || sem_init(&served, 0, 0) < 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0) {
        abort();
    }
    fake = fake_host_new("{}");
    fake_host_set(fake, "vm.run_dir", json_string(folder));
    fake_host_set_deadline(fake, 60000);
    (void)atexit(clean_up);
}

/* What people are told is bounded, and cannot move their cursor. */
static void check_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            abort();
        }
    }
}

static int ask(const struct banger_host *host, struct banger_call *call)
{
    struct api *api = api_open(host, call);
    json_t *answer = NULL;
    enum api_result result = api_request(api, "GET", "/", NULL, &answer);

    if ((result == API_OK) != (answer != NULL) || result == API_ABSENT || result == API_TIMEOUT) {
        abort();
    }
    check_text(api_text(api));
    json_decref(answer);
    api_close(api);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heads[] = {"", "HTTP/1.1 200 OK\r\n\r\n",
                                        "HTTP/1.1 400 Bad Request\r\n\r\n{\"fault_message\":"};

    if (fake == NULL) {
        set_up();
    }
    if (size == 0) {
        return 0;
    }
    head = heads[data[0] % (sizeof(heads) / sizeof(heads[0]))];
    answer_bytes = data + 1;
    answer_size = size - 1;
    (void)fake_host_call(fake, ask);
    while (sem_wait(&served) < 0) {
    }
    return 0;
}
