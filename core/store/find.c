/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/find.h"

#include "base/cleanup.h"
#include "base/str.h"

static int report_ambiguous(struct store *store, const struct find_table *table,
                            const char *reference, const char *end, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ, table->candidates);
    sql_bind_text(&sql, reference);
    sql_bind_text(&sql, end);
    AUTO_FREE char *list = sql_enumerate(&sql, err);
    if (list == NULL) {
        return -1;
    }
    (void)error_set(err, BANGER_EINVALID, "'%s' begins the id of more than one %s: %s", reference,
                    table->noun, list);
    return error_hint(err, "use more digits, or the name");
}

struct names {
    char **items;
    size_t count;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
}

static int names_read(struct store *store, const char *text, struct names *names, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ, text);
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        names->items = sql_grow(names->items, names->count, sizeof(names->items[0]));
        names->items[names->count++] = sql_column_text(&sql, 0);
    }
    return row;
}

static int report_unknown(struct store *store, const struct find_table *table,
                          const char *reference, banger_error *err)
{
    AUTO(names_free) struct names names = {0};
    if (names_read(store, table->names, &names, err) < 0) {
        return -1;
    }
    (void)error_set(err, BANGER_ENOTFOUND, "no %s named '%s'", table->noun, reference);
    const char *nearest = str_nearest(reference, (const char *const *)names.items, names.count);
    if (nearest != NULL) {
        return error_hint(err, "did you mean '%s'?", nearest);
    }
    return names.count > 0 ? error_hint(err, "'%s' shows what there is", table->list)
                           : error_hint(err, "there is no %s yet", table->noun);
}

int find_id(struct store *store, const struct find_table *table, const char *reference,
            char id[ID_LENGTH + 1], banger_error *err)
{
    if (name_check_artifact(table->noun, reference, err) < 0) {
        return -1;
    }
    /* 'g' comes behind every digit: the ids that begin with the reference end before this. */
    AUTO_FREE char *end = id_is_prefix(reference) ? str_format("%sg", reference) : NULL;
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ, table->matches);
    sql_bind_text(&sql, reference);
    sql_bind_text(&sql, end);
    int row = sql_step(&sql, err);
    if (row < 0) {
        return -1;
    }
    if (row == 0) {
        return report_unknown(store, table, reference, err);
    }
    sql_column_copy(&sql, 0, id, ID_LENGTH + 1);
    if (sql_column_int(&sql, 1) != 0) {
        return 0;
    }
    row = sql_step(&sql, err);
    return row > 0 ? report_ambiguous(store, table, reference, end, err) : row;
}
