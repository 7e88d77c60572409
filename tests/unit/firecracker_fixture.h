/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine for the firecracker provider, and the contract double (tests/fixtures/firecracker). */
#ifndef TESTS_FIRECRACKER_FIXTURE_H
#define TESTS_FIRECRACKER_FIXTURE_H

#include "temp_dir.h"
#include <banger/test.h>

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define VM_ID "0123456789abcdef0123456789abcdef"
#define DOUBLE "tests/fixtures/firecracker/firecracker" /* the tests run in the tree's top */

static struct temp_dir dir;
static struct fake_host *fake;

static inline const struct banger_vmm *vmm(void)
{
    return banger_plugin_v1()->vmm;
}

/* The head of an ELF file for `machine`, padded. */
static inline void write_kernel(uint16_t machine)
{
    char image[4096] = {0};
    Elf64_Ehdr header = {.e_type = ET_EXEC, .e_machine = machine, .e_version = EV_CURRENT};
    int to = open(temp_dir_at(&dir, "kernel"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    memcpy(image, &header, sizeof(header));
    assert_int_equal(write(to, image, sizeof(image)), sizeof(image));
    (void)close(to);
}

/* A folder of the test's own with a link to the double, beside which behave.json is. */
static inline void use_double(const char *behaviour)
{
    char path[PATH_MAX];

    if (realpath(DOUBLE, path) == NULL || access("/usr/bin/python3", X_OK) < 0) {
        skip(); /* not in the tree's top, or without Python: there is no double */
    }
    (void)unlink(temp_dir_at(&dir, "firecracker"));
    assert_int_equal(symlink(path, temp_dir_at(&dir, "firecracker")), 0);
    temp_dir_write(&dir, "behave.json", behaviour);
    fake_host_set(fake, "config.binary", json_string(temp_dir_at(&dir, "firecracker")));
}

static inline int set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    fake = fake_host_new(
        "{\"vm\": {\"id\": \"" VM_ID "\", \"name\": \"web\"},"
        " \"config\": {\"require_kvm\": false},"
        " \"machine\": {\"vcpu\": 1, \"memory_mib\": 64, \"boot_args\": [\"console=ttyS0\", "
        "\"quiet\"],"
        "  \"drives\": [{\"id\": \"work-disk\", \"read_only\": true},"
        "               {\"id\": \"rootfs\", \"root\": true, \"read_only\": false}]}}");
    fake_host_set(fake, "vm.dir", json_string(dir.path));
    fake_host_set(fake, "vm.run_dir", json_string(temp_dir_at(&dir, "run")));
    fake_host_set(fake, "machine.kernel", json_string(temp_dir_at(&dir, "kernel")));
    fake_host_set(fake, "kernel.path", json_string(temp_dir_at(&dir, "kernel")));
    fake_host_set(fake, "machine.console.path", json_string(temp_dir_at(&dir, "console.log")));
    temp_dir_write(&dir, "vmm.log", "");
    temp_dir_write(&dir, "metrics.json", "");
    temp_dir_write(&dir, "disk0", "seed");
    temp_dir_write(&dir, "disk1", "root");
    write_kernel(EM_X86_64);
    fake_host_really_spawn(fake);
    fake_host_set_deadline(fake, 60000);
    (void)fake_host_call(fake, banger_plugin_v1()->start);
    return mkdir(temp_dir_at(&dir, "run"), 0700);
}

static inline int tear_down(void **state)
{
    (void)state;
    (void)fake_host_call(fake, banger_plugin_v1()->stop);
    fake_host_free(fake);
    temp_dir_remove(&dir);
    return 0;
}

#endif
