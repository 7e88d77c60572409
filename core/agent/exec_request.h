/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding of SERVICE_EXEC's request (frame.h). */
#ifndef AGENT_EXEC_REQUEST_H
#define AGENT_EXEC_REQUEST_H

#include <stddef.h>
#include <stdint.h>

struct exec_request {
    uint8_t flags;
    uint16_t rows, columns;
    const char *user; /* "": root */
    const char *cwd;  /* "": the user's home */
    char **argv;      /* NULL-terminated; into `text` */
    char **envp;
    char *text; /* owns all of the above's bytes */
};

/* Returns 0, or -1 when the request is malformed or memory is out; then nothing is held. */
int exec_request_parse(const uint8_t *data, size_t length, struct exec_request *request);
void exec_request_free(struct exec_request *request);

#endif
