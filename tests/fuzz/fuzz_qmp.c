/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as what QEMU says on its control socket, to two commands; the first byte says what is in front of them.
 * The second command begins with what the first
 * has left in the buffer. Its end comes behind them, so that nothing waits. */
#include "qemu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* never waited for */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(struct qmp *qmp)
{
    json_t *answer = NULL;
    enum qmp_result result = qmp_command(qmp, "query-status", &answer);

    if ((result == QMP_OK) != (answer != NULL) || result == QMP_TIMEOUT || result == QMP_ABSENT ||
        qmp->used > sizeof(qmp->line) || strcmp(qmp_result_text(result), "unknown") == 0) {
        abort();
    }
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heads[] = {
        "", "{\"event\": 1}\n{\"return\":", "{\"return\": {}}\n{\"error\":"};
    static struct qmp qmp;
    const char *head;
    struct timespec now;
    int ends[2];

    if (size == 0) {
        return 0;
    }
    head = heads[data[0] % (sizeof(heads) / sizeof(heads[0]))];
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        abort();
    }
    if (send(ends[1], head, strlen(head), MSG_DONTWAIT) < 0 ||
        send(ends[1], data + 1, size - 1, MSG_DONTWAIT) < 0) {
        abort(); /* as much as the socket takes */
    }
    (void)shutdown(ends[1], SHUT_WR);
    qmp.fd = ends[0];
    qmp.used = 0;
    qmp.until_ms = (int64_t)now.tv_sec * 1000 + PATIENCE_MS;
    check_command(&qmp);
    check_command(&qmp);
    qmp_close(&qmp);
    (void)close(ends[1]);
    return 0;
}
