/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images (root file systems) and kernels: immutable once their row exists. */
#ifndef STORE_IMAGE_TABLE_H
#define STORE_IMAGE_TABLE_H

#include "base/name.h"
#include "store/store.h"

#define DIGEST_LENGTH 64 /* SHA-256 in hex */

struct image_record {
    char id[ID_LENGTH + 1];
    char name[NAME_MAX_LENGTH + 1];
    char *path;                     /* the ext4 file, below state/images/ID */
    char digest[DIGEST_LENGTH + 1]; /* SHA-256 of the file */
    int64_t size_bytes;             /* apparent */
    char *origin;                   /* "build tiny", "register /path": for people */
    int64_t created_ms;
};

struct kernel_record {
    char id[ID_LENGTH + 1];
    char name[NAME_MAX_LENGTH + 1];
    char *path;      /* vmlinux (ELF), below state/kernels/ID */
    char *initramfs; /* cpio with the agent and the modules; NULL: none */
    char *version;   /* 6.1.0-56-cloud-amd64 */
    char digest[DIGEST_LENGTH + 1];
    int64_t size_bytes;
    char *origin;
    int64_t created_ms;
};

void image_record_free(struct image_record *image);
void kernel_record_free(struct kernel_record *kernel);

int image_insert(struct store *store, const struct image_record *image, banger_error *err);
int image_find(struct store *store, const char *reference, struct image_record *image,
               banger_error *err);
/* EBUSY while a VM uses it; the message names the VMs. */
int image_remove(struct store *store, const char *id, banger_error *err);

int kernel_insert(struct store *store, const struct kernel_record *kernel, banger_error *err);
int kernel_find(struct store *store, const char *reference, struct kernel_record *kernel,
                banger_error *err);
int kernel_remove(struct store *store, const char *id, banger_error *err);

struct image_list {
    struct image_record *items;
    size_t count;
};
struct kernel_list {
    struct kernel_record *items;
    size_t count;
};
int image_list_all(struct store *store, struct image_list *list, banger_error *err);
void image_list_free(struct image_list *list);
int kernel_list_all(struct store *store, struct kernel_list *list, banger_error *err);
void kernel_list_free(struct kernel_list *list);

#endif
