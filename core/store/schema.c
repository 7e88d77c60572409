/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schema, as design:
 *  - Times are milliseconds of the wall clock, documents are JSON, ids of things are 32 hex digits.
 *  - Row numbers are AUTOINCREMENT: one that was given away never means another row.
 *  - What must not be forgotten is held by a foreign key: a VM's image and kernel by the VM, the VM
 *    by its resources. The logs refer to VMs by id and name only, since they outlive them.
 *  - Logs bound themselves: their triggers touch index ranges that hold at most the row or two that
 *    the new one pushes out.
 */
#include "store/migrate.h"

#include "base/cleanup.h"

static const char version_1[] =
    "PRAGMA application_id = 0x52474e42;"

    "CREATE TABLE images ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),"
    "  name TEXT NOT NULL UNIQUE,"
    "  path TEXT NOT NULL,"
    "  digest TEXT NOT NULL,"
    "  size_bytes INTEGER NOT NULL,"
    "  origin TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE kernels ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),"
    "  name TEXT NOT NULL UNIQUE,"
    "  path TEXT NOT NULL,"
    "  initramfs TEXT,"
    "  version TEXT NOT NULL,"
    "  digest TEXT NOT NULL,"
    "  size_bytes INTEGER NOT NULL,"
    "  origin TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE vms ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),"
    "  name TEXT NOT NULL UNIQUE,"
    "  image_id TEXT NOT NULL REFERENCES images (id),"
    "  kernel_id TEXT NOT NULL REFERENCES kernels (id),"
    "  state TEXT NOT NULL CHECK (state IN ('created', 'running', 'stopped', 'error')),"
    "  spec TEXT NOT NULL,"
    "  runtime TEXT NOT NULL,"
    "  last_error TEXT,"
    "  created_ms INTEGER NOT NULL,"
    "  updated_ms INTEGER NOT NULL,"
    "  started_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX vms_by_image ON vms (image_id);"
    "CREATE INDEX vms_by_kernel ON vms (kernel_id);"
    "CREATE INDEX vms_running ON vms (seq) WHERE state = 'running';"

    "CREATE TABLE resources ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  vm_id TEXT REFERENCES vms (id)," /* NULL: belongs to no VM */
    "  owner TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  key TEXT NOT NULL,"
    "  attrs TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('intent', 'held'))"
    ") STRICT;"
    "CREATE INDEX resources_by_vm ON resources (vm_id);"

    /* `seq` counts the operations of one VM, or of the host (vm_id ''), from 1. */
    "CREATE TABLE operations ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  vm_id TEXT NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  vm_name TEXT,"
    "  kind TEXT NOT NULL,"
    "  started_ms INTEGER NOT NULL,"
    "  took_ns INTEGER," /* NULL: unknown */
    "  outcome TEXT NOT NULL DEFAULT 'running',"
    "  error TEXT,"
    "  stages TEXT NOT NULL DEFAULT '[]'"
    ") STRICT;"
    "CREATE UNIQUE INDEX operations_by_vm ON operations (vm_id, seq);"
    "CREATE INDEX operations_running ON operations (id) WHERE outcome = 'running';"
    "CREATE TRIGGER operations_bound AFTER INSERT ON operations BEGIN"
    "  DELETE FROM operations"
    "    WHERE vm_id = NEW.vm_id AND seq <= NEW.seq - 1000 AND outcome <> 'running';"
    "  DELETE FROM operations WHERE id <= NEW.id - 20000 AND outcome <> 'running';"
    "END;"

    "CREATE TABLE events ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  time_ms INTEGER NOT NULL,"
    "  type TEXT NOT NULL,"
    "  vm_id TEXT,"
    "  vm_name TEXT,"
    "  data TEXT NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER events_bound AFTER INSERT ON events BEGIN"
    "  DELETE FROM events WHERE id <= NEW.id - 10000;"
    "END;";

/* `meta` holds what is said once of a store: `instance` marks what it has on the host. A lease is a
 * number out of a plugin's pool; it goes with its VM. */
static const char version_2[] =
    "CREATE TABLE meta ("
    "  key TEXT PRIMARY KEY,"
    "  value TEXT NOT NULL"
    ") STRICT;"
    "INSERT INTO meta (key, value) VALUES ('instance', lower(hex(randomblob(6))));"

    "CREATE TABLE leases ("
    "  owner TEXT NOT NULL,"
    "  pool TEXT NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,"
    "  PRIMARY KEY (owner, pool, number),"
    "  UNIQUE (owner, pool, vm_id)"
    ") STRICT;"
    "CREATE INDEX leases_by_vm ON leases (vm_id);";

static const char *const texts[] = {
    version_1,
    version_2,
};

const struct migrations schema_migrations = {.texts = texts, .count = COUNT_OF(texts)};
