/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/image_table.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "store/connection.h"
#include "store/find.h"

#include <string.h>

/* What images and kernels have in common: they are looked up and given up in the same way. */
struct artifact {
    struct find_table find;
    const char *remove; /* ?1: the id */
    const char *users;  /* (name, count) of the VMs that use ?1 */
    const char *name;   /* of ?1 */
};

static const struct artifact images = {
    .find =
        {
            .noun = "image",
            .list = "banger image list",
            .matches = FIND_MATCHES("images"),
            .candidates = FIND_CANDIDATES("images"),
            .names = FIND_NAMES("images"),
        },
    .remove = "DELETE FROM images WHERE id = ?1",
    .users = "SELECT name, count(*) OVER () FROM vms WHERE image_id = ?1 ORDER BY name LIMIT 5",
    .name = "SELECT name FROM images WHERE id = ?1",
};

static const struct artifact kernels = {
    .find =
        {
            .noun = "kernel",
            .list = "banger kernel list",
            .matches = FIND_MATCHES("kernels"),
            .candidates = FIND_CANDIDATES("kernels"),
            .names = FIND_NAMES("kernels"),
        },
    .remove = "DELETE FROM kernels WHERE id = ?1",
    .users = "SELECT name, count(*) OVER () FROM vms WHERE kernel_id = ?1 ORDER BY name LIMIT 5",
    .name = "SELECT name FROM kernels WHERE id = ?1",
};

static int report_gone(const struct artifact *artifact, const char *id, banger_error *err)
{
    return error_set(err, BANGER_ENOTFOUND, "no %s has the id %s (any more)", artifact->find.noun,
                     id);
}

/* The artifact's name, or the id where it has gone; new. */
static char *name_of(struct store *store, const struct artifact *artifact, const char *id)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ, artifact->name);
    sql_bind_text(&sql, id);
    return sql_step(&sql, NULL) > 0 ? sql_column_text(&sql, 0) : xstrdup(id);
}

static int report_users(struct store *store, const struct artifact *artifact, const char *id,
                        banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_READ, artifact->users);
    sql_bind_text(&sql, id);
    AUTO_FREE char *names = sql_enumerate(&sql, err);
    if (names == NULL) {
        return -1;
    }
    AUTO_FREE char *name = name_of(store, artifact, id);
    (void)error_set(err, BANGER_EBUSY, "%s '%s' is used by %s", artifact->find.noun, name, names);
    return error_hint(err, "delete what uses it first: banger vm delete NAME");
}

static int artifact_remove(struct store *store, const struct artifact *artifact, const char *id,
                           banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE, artifact->remove);
    sql_bind_text(&sql, id);
    int changed = sql_run(&sql, err);
    if (changed < 0) {
        return sql.result == SQLITE_CONSTRAINT_FOREIGNKEY
                   ? report_users(store, artifact, id, err)
                   : error_prefix(err, "cannot forget the %s %s: ", artifact->find.noun, id);
    }
    return changed == 0 ? report_gone(artifact, id, err) : 0;
}

static int artifact_insert(struct sql *sql, const struct artifact *artifact, const char *name,
                           banger_error *err)
{
    const char *noun = artifact->find.noun;
    if (sql_run(sql, err) >= 0) {
        return 0;
    }
    if (sql->result != SQLITE_CONSTRAINT_UNIQUE) {
        return error_prefix(err, "cannot write the %s '%s': ", noun, name);
    }
    (void)error_set(err, BANGER_EEXISTS, "%s '%s' exists already", noun, name);
    return error_hint(err, "choose another name, or delete it: banger %s delete %s", noun, name);
}

/* -- Images --------------------------------------------------------------------------------- */

#define IMAGE_COLUMNS "id, name, path, digest, size_bytes, origin, created_ms"

void image_record_free(struct image_record *image)
{
    free(image->path);
    free(image->origin);
    *image = (struct image_record){0};
}

int image_insert(struct store *store, const struct image_record *image, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE,
                                       "INSERT INTO images (" IMAGE_COLUMNS ")"
                                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    sql_bind_text(&sql, image->id);
    sql_bind_text(&sql, image->name);
    sql_bind_text(&sql, image->path);
    sql_bind_text(&sql, image->digest);
    sql_bind_int(&sql, image->size_bytes);
    sql_bind_text(&sql, str_or(image->origin, ""));
    sql_bind_int(&sql, image->created_ms);
    return artifact_insert(&sql, &images, image->name, err);
}

static void image_read(struct sql *sql, struct image_record *image)
{
    sql_column_copy(sql, 0, image->id, sizeof(image->id));
    sql_column_copy(sql, 1, image->name, sizeof(image->name));
    image->path = sql_column_text(sql, 2);
    sql_column_copy(sql, 3, image->digest, sizeof(image->digest));
    image->size_bytes = sql_column_int(sql, 4);
    image->origin = sql_column_text(sql, 5);
    image->created_ms = sql_column_int(sql, 6);
}

int image_find(struct store *store, const char *reference, struct image_record *image,
               banger_error *err)
{
    char id[ID_LENGTH + 1];
    /* Opened before the search, so that the row is still there after it. */
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " IMAGE_COLUMNS " FROM images WHERE id = ?1");
    if (find_id(store, &images.find, reference, id, err) < 0) {
        return -1;
    }
    sql_bind_text(&sql, id);
    int row = sql_step(&sql, err);
    if (row <= 0) {
        return row < 0 ? -1 : report_gone(&images, id, err);
    }
    image_read(&sql, image);
    return 0;
}

int image_remove(struct store *store, const char *id, banger_error *err)
{
    return artifact_remove(store, &images, id, err);
}

int image_list_all(struct store *store, struct image_list *list, banger_error *err)
{
    *list = (struct image_list){0};
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " IMAGE_COLUMNS " FROM images ORDER BY seq");
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        list->items = sql_grow(list->items, list->count, sizeof(list->items[0]));
        image_read(&sql, &list->items[list->count++]);
    }
    if (row < 0) {
        image_list_free(list);
    }
    return row;
}

void image_list_free(struct image_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        image_record_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct image_list){0};
}

/* -- Kernels -------------------------------------------------------------------------------- */

#define KERNEL_COLUMNS "id, name, path, initramfs, version, digest, size_bytes, origin, created_ms"

void kernel_record_free(struct kernel_record *kernel)
{
    free(kernel->path);
    free(kernel->initramfs);
    free(kernel->version);
    free(kernel->origin);
    *kernel = (struct kernel_record){0};
}

int kernel_insert(struct store *store, const struct kernel_record *kernel, banger_error *err)
{
    AUTO_SQL struct sql sql = sql_open(store, SQL_WRITE,
                                       "INSERT INTO kernels (" KERNEL_COLUMNS ")"
                                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    sql_bind_text(&sql, kernel->id);
    sql_bind_text(&sql, kernel->name);
    sql_bind_text(&sql, kernel->path);
    sql_bind_text(&sql, kernel->initramfs);
    sql_bind_text(&sql, str_or(kernel->version, ""));
    sql_bind_text(&sql, kernel->digest);
    sql_bind_int(&sql, kernel->size_bytes);
    sql_bind_text(&sql, str_or(kernel->origin, ""));
    sql_bind_int(&sql, kernel->created_ms);
    return artifact_insert(&sql, &kernels, kernel->name, err);
}

static void kernel_read(struct sql *sql, struct kernel_record *kernel)
{
    sql_column_copy(sql, 0, kernel->id, sizeof(kernel->id));
    sql_column_copy(sql, 1, kernel->name, sizeof(kernel->name));
    kernel->path = sql_column_text(sql, 2);
    kernel->initramfs = sql_column_text(sql, 3);
    kernel->version = sql_column_text(sql, 4);
    sql_column_copy(sql, 5, kernel->digest, sizeof(kernel->digest));
    kernel->size_bytes = sql_column_int(sql, 6);
    kernel->origin = sql_column_text(sql, 7);
    kernel->created_ms = sql_column_int(sql, 8);
}

int kernel_find(struct store *store, const char *reference, struct kernel_record *kernel,
                banger_error *err)
{
    char id[ID_LENGTH + 1];
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " KERNEL_COLUMNS " FROM kernels WHERE id = ?1");
    if (find_id(store, &kernels.find, reference, id, err) < 0) {
        return -1;
    }
    sql_bind_text(&sql, id);
    int row = sql_step(&sql, err);
    if (row <= 0) {
        return row < 0 ? -1 : report_gone(&kernels, id, err);
    }
    kernel_read(&sql, kernel);
    return 0;
}

int kernel_remove(struct store *store, const char *id, banger_error *err)
{
    return artifact_remove(store, &kernels, id, err);
}

int kernel_list_all(struct store *store, struct kernel_list *list, banger_error *err)
{
    *list = (struct kernel_list){0};
    AUTO_SQL struct sql sql =
        sql_open(store, SQL_READ, "SELECT " KERNEL_COLUMNS " FROM kernels ORDER BY seq");
    int row;
    while ((row = sql_step(&sql, err)) > 0) {
        list->items = sql_grow(list->items, list->count, sizeof(list->items[0]));
        kernel_read(&sql, &list->items[list->count++]);
    }
    if (row < 0) {
        kernel_list_free(list);
    }
    return row;
}

void kernel_list_free(struct kernel_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        kernel_record_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct kernel_list){0};
}
