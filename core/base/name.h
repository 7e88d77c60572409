/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one validator for what people and guests may call things. Every entry point uses these, and
 * nothing else decides what a name, a path or a size may be. Each fails with BANGER_EINVALID and a
 * message that names the value, the rule and what is allowed. `what` is the noun for the message:
 * "VM name", "image name".
 */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include "error.h"

#include <stdbool.h>

#define NAME_MAX_LENGTH 63 /* a DNS label (RFC 1035 2.3.4), since NAME.vm must resolve */

/* A DNS label: [a-z0-9]([a-z0-9-]*[a-z0-9])?, 1 to 63 bytes. VMs. */
int name_check_label(const char *what, const char *name, banger_error *err);
/* [A-Za-z0-9][A-Za-z0-9._-]*, 1 to 63 bytes. Images, kernels, providers. */
int name_check_artifact(const char *what, const char *name, banger_error *err);
/* [a-z][a-z0-9-]*, 1 to 31 bytes, and not "core", whose rows of the journal are the core's own. Plugins,
 * capabilities. */
int name_check_plugin(const char *what, const char *name, banger_error *err);
/* A Debian package (Debian Policy 5.6.7): [a-z0-9][a-z0-9+.-]+, 2 to 128 bytes. So it is no option of a
 * command and no path either. */
int name_check_package(const char *name, banger_error *err);
/* An absolute path without "..", empty or "." components, NUL, newline or other control characters;
 * shorter than PATH_MAX. */
int name_check_path(const char *what, const char *path, banger_error *err);
/* One kernel argument: ASCII without white space, control characters, quotes and backslashes, 1 to 255
 * bytes. */
int name_check_boot_arg(const char *argument, banger_error *err);
/* NAME=VALUE for an environment: NAME is [A-Za-z_][A-Za-z0-9_]*. */
int name_check_env(const char *assignment, banger_error *err);
/* KEY=VALUE for a label: KEY is an artifact name, VALUE printable without control characters. */
int name_check_label_pair(const char *assignment, banger_error *err);

/* "512", "512K", "64M", "2G", "1T" (powers of 1024; KiB, MiB ... accepted) into bytes; a bare
 * number is taken in `unit` bytes. */
int size_parse(const char *what, const char *text, int64_t unit, int64_t minimum, int64_t maximum,
               int64_t *bytes, banger_error *err);
void size_format(int64_t bytes, char text[16]); /* "1.5G", "512M", "20K" */
/* "250ms", "3s", "2m", "1h", a bare number in seconds; into milliseconds. */
int duration_parse(const char *what, const char *text, int64_t minimum, int64_t maximum,
                   int64_t *ms, banger_error *err);
/* A whole number in decimal, nothing before or behind it. */
int number_parse(const char *what, const char *text, int64_t minimum, int64_t maximum,
                 int64_t *value, banger_error *err);

#define ID_LENGTH 32      /* 128 random bits in hex */
#define SHORT_ID_LENGTH 8 /* "tap-fc-" and this fill the 15 bytes of an interface name */

void id_new(char id[ID_LENGTH + 1]);
bool id_is_prefix(const char *text); /* 4 to 32 hex digits: may be (the start of) an id */

#endif
