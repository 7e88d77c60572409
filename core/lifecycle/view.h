/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as the protocol shows them (rpc/protocol.h: VM, IMAGE, KERNEL). New references. */
#ifndef LIFECYCLE_VIEW_H
#define LIFECYCLE_VIEW_H

#include "lifecycle/engine.h"
#include "store/image_table.h"
#include "store/vm_table.h"

json_t *view_time(int64_t wall_ms); /* RFC 3339; null for 0 */
json_t *view_image(const struct image_record *image);
json_t *view_kernel(const struct kernel_record *kernel);

/* Names of images and kernels by id, looked up once for a whole list of VMs. */
struct view_names;
struct view_names *view_names_load(struct engine *engine, banger_error *err);
void view_names_free(struct view_names *names);

json_t *view_vm(struct engine *engine, const struct view_names *names, const struct vm_record *vm);
/* The fields that a table of VMs shows, in the same places: a list of a thousand is then a fifth. */
json_t *view_vm_brief(struct engine *engine, const struct view_names *names,
                      const struct vm_record *vm);
/* view_vm of one VM, read afresh; NULL on failure. */
json_t *view_vm_now(struct engine *engine, const char *vm_id, banger_error *err);
/* The same for who has the VM's lock, and so is not told that it is busy. */
json_t *view_vm_held(struct engine *engine, const char *vm_id, banger_error *err);

#endif
