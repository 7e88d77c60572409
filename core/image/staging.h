/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an image or a kernel comes to be and goes, so that a crash at any instruction leaves nothing:
 *
 *   1. staging_begin   journals the intent, then makes state/images/ID.staging (or kernels/...).
 *   2. The files are written into that folder.
 *   3. staging_commit  syncs them, renames the folder to its final name, and in one transaction
 *                      inserts the record and ends the journal's row.
 *   4. staging_end     on every way out: what was not committed is removed, then its row.
 *
 * Removal is the same in reverse: journal and record in one transaction, then the folder. A journal
 * row of kind "staging" therefore always means: the folder without a record is to be removed, and
 * that is what staging_release does with a row that a dead daemon left behind.
 */
#ifndef IMAGE_STAGING_H
#define IMAGE_STAGING_H

#include "base/process.h"
#include "image.h"
#include "store/journal.h"

enum staging_kind {
    STAGING_IMAGE,
    STAGING_KERNEL,
};

struct staging {
    const struct image_context *context;
    enum staging_kind kind;
    int64_t journal_id; /* 0: no row */
    char id[ID_LENGTH + 1];
    char *dir;   /* to be filled */
    char *final; /* what it will be called */
};

#define STAGING_INIT ((struct staging){0})
#define AUTO_STAGING __attribute__((cleanup(staging_end)))

int staging_begin(const struct image_context *context, enum staging_kind kind,
                  struct staging *staging, banger_error *err);
char *staging_path(const struct staging *staging, const char *name);   /* now; a new string */
char *staging_target(const struct staging *staging, const char *name); /* once committed */

/* Writes down that `process` works in the folder, so that staging_release ends it first. */
int staging_worker(struct staging *staging, const struct process_id *process, banger_error *err);

/* Inserts an image_record or kernel_record, as image_insert and kernel_insert do. */
typedef int (*staging_insert_fn)(struct store *store, const void *record, banger_error *err);
int staging_commit(struct staging *staging, staging_insert_fn insert, const void *record,
                   banger_error *err);
void staging_end(struct staging *staging);

/* Removes a record and its folder. `remove` is image_remove or kernel_remove. */
typedef int (*staging_remove_fn)(struct store *store, const char *id, banger_error *err);
int staging_delete(const struct image_context *context, enum staging_kind kind, const char *id,
                   staging_remove_fn remove, banger_error *err);

#define STAGING_OWNER "core"
#define STAGING_RESOURCE "staging" /* the journal's kind */

/* Releases a row of kind STAGING_RESOURCE whose daemon has died; idempotent. Only ever removes the
 * folder that our naming gives for the row's id, and never one that has a record. Not to be called
 * while an import or a build runs in this process. */
int staging_release(struct store *store, const struct layout *layout,
                    const struct resource *resource, banger_error *err);

#endif
