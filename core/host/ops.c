/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/ops.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "host/ops_check.h"
#include "host/ops_network.h"
#include "host/ops_snapshot.h"

#include <string.h>

struct op_row {
    const char *name;
    bool asks; /* changes nothing */
    op_fn run;
    struct op_argument arguments[OP_ARGUMENTS_MAX]; /* a row without a name ends them */
};

/* clang-format off */
static const struct op_row table[] = {
    {"network.check",  true,  op_network_check,  {{"bridge",  op_check_bridge, false},
                                                  {"address", op_check_cidr4,  false}}},
    {"network.ensure", false, op_network_ensure, {{"bridge",  op_check_bridge, false},
                                                  {"address", op_check_cidr4,  false},
                                                  {"address6", op_check_cidr6, true},
                                                  {"isolate", op_check_bool,   false},
                                                  {"pool",    op_check_size,   false}}},
    {"network.remove", false, op_network_remove, {{"bridge",  op_check_bridge, false}}},
    {"tap.acquire",    false, op_tap_acquire,    {{"bridge",  op_check_bridge, false},
                                                  {"tap",     op_check_tap,    false},
                                                  {"mac",     op_check_mac,    false},
                                                  {"address", op_check_ip4,    false},
                                                  {"address6", op_check_ip6,   true}}},
    {"tap.release",    false, op_tap_release,    {{"bridge",  op_check_bridge, false},
                                                  {"tap",     op_check_tap,    false}}},
    {"tap.lend",       false, op_tap_lend,       {{"tap",     op_check_tap,    false},
                                                  {"uid",     op_check_uid,    false}}},
    {"nat.check",      true,  op_nat_check,      {{"uplink",  op_check_uplink, false}}},
    {"nat.on",         false, op_nat_on,         {{"bridge",  op_check_bridge, false},
                                                  {"address", op_check_ip4,    false},
                                                  {"uplink",  op_check_uplink, false}}},
    {"nat.off",        false, op_nat_off,        {{"bridge",  op_check_bridge, false},
                                                  {"address", op_check_ip4,    false}}},
    {"publish.set",    false, op_publish_set,    {{"bridge",  op_check_bridge, false},
                                                  {"address", op_check_ip4,    false},
                                                  {"ports",   op_check_ports,  false}}},
    {"snapshot.check", true,  op_snapshot_check, {{0}}},
    {"snapshot.attach", false, op_snapshot_attach, {{"base",    op_check_path,   false},
                                                    {"base_size", op_check_count, false},
                                                    {"base_inode", op_check_count, false},
                                                    {"cow",     op_check_path,   false},
                                                    {"tail",    op_check_path,   true},
                                                    {"chunk",   op_check_chunk,  false}}},
    {"snapshot.detach", false, op_snapshot_detach, {{0}}},
    {"snapshot.status", true,  op_snapshot_status, {{0}}},
};
/* clang-format on */

FAILPOINT_COLUMN(table, name, "before", FAILPOINT_FAIL);
FAILPOINT_COLUMN(table, name, "after", FAILPOINT_FAIL);

static const struct op_row *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

bool host_op_asks(const char *name)
{
    const struct op_row *row = find(name);
    return row != NULL && row->asks;
}

static int unknown_op(const char *name, banger_error *err)
{
    const char *names[COUNT_OF(table)];
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        names[i] = table[i].name;
    }
    (void)error_set(err, BANGER_EINVALID, "there is no host operation '%.64s'", name);
    const char *nearest = str_nearest(name, names, COUNT_OF(table));
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : -1;
}

int host_op_run(struct host *host, const char *vm_id, const char *name, const json_t *args,
                json_t **result, banger_error *err)
{
    const struct op_row *row = find(name);
    if (row == NULL) {
        return unknown_op(name, err);
    }
    if (op_arguments_check(name, row->arguments, args, err) < 0) {
        return -1;
    }
    const struct op_call call = {.vm_id = vm_id, .args = args};
    AUTO_JSON json_t *answer = json_object();
    if (failpoint_row(name, "before", err) < 0 || row->run(host, &call, answer, err) < 0 ||
        failpoint_row(name, "after", err) < 0) {
        return -1;
    }
    *result = STEAL(answer);
    return 0;
}
