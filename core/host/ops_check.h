/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of arguments of host operations. */
#ifndef HOST_OPS_CHECK_H
#define HOST_OPS_CHECK_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

typedef int (*op_check)(const char *name, const json_t *value, banger_error *err);

struct op_argument {
    const char *name;
    op_check check;
    bool optional;
};

#define OP_ARGUMENTS_MAX 8

/* Whether `args` is an object of just these (a row with a NULL name ends them). */
int op_arguments_check(const char *op, const struct op_argument *arguments, const json_t *args,
                       banger_error *err);

int op_check_bridge(const char *name, const json_t *value, banger_error *err); /* "br-fc" */
int op_check_tap(const char *name, const json_t *value, banger_error *err); /* "tap-fc-1a2b3c4d" */
int op_check_uplink(const char *name, const json_t *value, banger_error *err); /* "eth0", "auto" */
int op_check_mac(const char *name, const json_t *value, banger_error *err);    /* unicast, ours */
int op_check_ip4(const char *name, const json_t *value, banger_error *err);    /* "172.16.0.2" */
int op_check_ip6(const char *name, const json_t *value, banger_error *err);    /* "fd..::2" */
int op_check_cidr4(const char *name, const json_t *value, banger_error *err);  /* "172.16.0.1/24" */
int op_check_cidr6(const char *name, const json_t *value, banger_error *err);  /* "fd..::1/64" */
int op_check_bool(const char *name, const json_t *value, banger_error *err);
int op_check_size(const char *name, const json_t *value, banger_error *err); /* 0 to 256 */
/* [{"proto":"tcp|udp","host_ip","host_port","guest_port"}] */
int op_check_ports(const char *name, const json_t *value, banger_error *err);
int op_check_path(const char *name, const json_t *value, banger_error *err); /* absolute, plain */
int op_check_uid(const char *name, const json_t *value,
                 banger_error *err); /* a user's, not root's */
int op_check_count(const char *name, const json_t *value, banger_error *err); /* 1 or more */
int op_check_chunk(const char *name, const json_t *value, banger_error *err); /* of a snapshot */

#endif
