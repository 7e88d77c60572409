/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "isolate_wire.h"

#include "base/awake.h"

#include <poll.h>
#include <string.h>

/* -- Frames --------------------------------------------------------------------------------------- */

static int append(const char *data, size_t size, void *context)
{
    buf_append(context, data, size);
    return 0;
}

int wire_put(struct buf *out, const json_t *value)
{
    size_t before = out->length;
    buf_append(out, (const char[WIRE_HEADER]){0}, WIRE_HEADER);
    if (json_dump_callback(value, append, out, JSON_COMPACT | JSON_ENCODE_ANY) < 0 ||
        out->length - before - WIRE_HEADER > WIRE_FRAME_MAX) {
        out->length = before;
        return -1;
    }
    size_t length = out->length - before - WIRE_HEADER;
    for (int i = 0; i < WIRE_HEADER; i++) {
        out->data[before + (size_t)i] = (char)(unsigned char)(length >> (8 * i) & 0xff);
    }
    return 0;
}

int wire_look(const struct buf *in, size_t *length)
{
    if (in->length < WIRE_HEADER) {
        return 0;
    }
    *length = 0;
    for (int i = 0; i < WIRE_HEADER; i++) {
        *length |= (size_t)(unsigned char)in->data[i] << (8 * i);
    }
    if (*length == 0 || *length > WIRE_FRAME_MAX) {
        return -1;
    }
    return in->length - WIRE_HEADER >= *length;
}

json_t *wire_take(struct buf *in, size_t length)
{
    json_t *value = json_loadb(in->data + WIRE_HEADER, length, JSON_REJECT_DUPLICATES, NULL);
    buf_consume(in, WIRE_HEADER + length);
    return value;
}

void wire_wait_awake(int socket)
{
    struct pollfd polled = {.fd = socket, .events = POLLIN};
    int64_t end = awake_end();
    while (poll(&polled, 1, 0) == 0 && awake(end)) {
    }
}

/* -- Functions ------------------------------------------------------------------------------------ */

enum table { TABLE_plugin, TABLE_hooks, TABLE_vmm, TABLE_rootfs, TABLE_network };

static const struct row {
    const char *name;
    enum table table;
    size_t offset;
} rows[WIRE_FUNCTION_COUNT] = {
#define ROW(table_, function)                                                                      \
    [WIRE_##table_##_##function] = {#table_ "." #function, TABLE_##table_,                         \
                                    offsetof(struct banger_##table_, function)},
    WIRE_FUNCTIONS(ROW)
#undef ROW
};

/* The descriptor's own functions are named without a table. */
const char *wire_function_name(enum wire_function function)
{
    const struct row *row = &rows[function];
    return row->table == TABLE_plugin ? row->name + sizeof("plugin.") - 1 : row->name;
}

int wire_function_find(const char *name)
{
    for (int i = 0; i < WIRE_FUNCTION_COUNT; i++) {
        if (strcmp(wire_function_name((enum wire_function)i), name) == 0) {
            return i;
        }
    }
    return -1;
}

banger_hook *wire_function_place(struct banger_plugin *plugin, enum wire_function function)
{
    const struct row *row = &rows[function];
    const void *const tables[] = {[TABLE_plugin] = plugin,
                                  [TABLE_hooks] = plugin->hooks,
                                  [TABLE_vmm] = plugin->vmm,
                                  [TABLE_rootfs] = plugin->rootfs,
                                  [TABLE_network] = plugin->network};
    char *table = (char *)tables[row->table];
    return table != NULL ? (banger_hook *)(void *)(table + row->offset) : NULL;
}
