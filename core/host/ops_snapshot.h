/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions behind the rows "snapshot.*" of the table of host operations. */
#ifndef HOST_OPS_SNAPSHOT_H
#define HOST_OPS_SNAPSHOT_H

#include "host/ops.h"

int op_snapshot_check(struct host *host, const struct op_call *call, json_t *result,
                      banger_error *err);
int op_snapshot_attach(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err);
int op_snapshot_detach(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err);
int op_snapshot_status(struct host *host, const struct op_call *call, json_t *result,
                       banger_error *err);

#endif
