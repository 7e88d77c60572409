/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake host's real processes. */
#ifndef KIT_FAKE_PROCESS_H
#define KIT_FAKE_PROCESS_H

#include <jansson.h>
#include <sys/types.h>

/* Runs to the end: {"status","stdout","stderr"}, a new reference; NULL: could not be started. */
json_t *fake_process_run(const json_t *argv);
/* Starts with options "log" and "cwd" of host->spawn; the PID or -1. */
pid_t fake_process_spawn(const json_t *argv, const json_t *options);

#endif
