/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations of the network: rows of the table in ops.c. */
#ifndef HOST_OPS_NETWORK_H
#define HOST_OPS_NETWORK_H

#include "host/ops.h"

/* Whether the bridge could be made. {"lost"}: asked for the host, how many VMs' TAPs are not connected
 * as they should be. */
int op_network_check(struct host *host, const struct op_call *call, json_t *result,
                     banger_error *err);
/* The bridge, its tables and the pool of warm TAPs: what all VMs share. {"created"}: the bridge or a
 * table was not there, so VMs that run have lost their place in it. */
int op_network_ensure(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err);
/* All of that, taken away; EBUSY while a VM uses it. */
int op_network_remove(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err);

/* A VM's TAP, and what may come through it. {"pooled": whether it was a warm one} */
int op_tap_acquire(struct host *host, const struct op_call *call, json_t *result,
                   banger_error *err);
int op_tap_release(struct host *host, const struct op_call *call, json_t *result,
                   banger_error *err);
int op_tap_lend(struct host *host, const struct op_call *call, json_t *result, banger_error *err);

/* {"uplinks": [...], "drops": [chains of others that drop what is forwarded]} */
int op_nat_check(struct host *host, const struct op_call *call, json_t *result, banger_error *err);
int op_nat_on(struct host *host, const struct op_call *call, json_t *result, banger_error *err);
int op_nat_off(struct host *host, const struct op_call *call, json_t *result, banger_error *err);

int op_publish_set(struct host *host, const struct op_call *call, json_t *result,
                   banger_error *err);

#endif
