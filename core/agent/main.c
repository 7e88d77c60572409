/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banger-agent: see boot.h for the way to a served guest, mux.h and frame.h for the serving. */
#include "boot.h"
#include "power.h"
#include "say.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: banger-agent                     in a guest: as PID 1, or beside its init\n"
    "       banger-agent --serve-unix PATH   serve this system on a unix socket (for tests)\n"
    "       banger-agent --stdio             serve one connection on standard input and output\n"
    "       banger-agent --version\n";

int main(int argc, char **argv)
{
    struct server_options options = {0};
    if (getpid() == 1) {
        boot_run();
        return server_run(&options);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)puts("banger-agent " BANGER_VERSION);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--serve-unix") == 0) {
        options.unix_path = argv[2];
    } else if (argc == 2 && strcmp(argv[1], "--stdio") == 0) {
        options.stdio = true;
    } else if (argc == 1) {
        power_own_machine();
    } else {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)clearenv();
    return server_run(&options);
}
