/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiny stand-ins for kernels, modules and packages, made byte by byte. */
#ifndef TESTS_IMAGE_SAMPLES_H
#define TESTS_IMAGE_SAMPLES_H

#include "base/str.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_VERSION "6.1.0-test"

static inline void sample_file_write(const char *path, const struct buf *data)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(data->data, 1, data->length, file) != data->length ||
        fclose(file) != 0) {
        perror(path);
        abort();
    }
}

/* -- Kernels ----------------------------------------------------------------------------------- */

#define SAMPLE_PVH 1
#define SAMPLE_VIRTIO 2 /* the drivers are built in */
#define SAMPLE_VSOCK 4  /* so is vsock, and no console */
#define SAMPLE_DISK 8   /* so are the bus and the disk alone */

static inline void sample_kernel(struct buf *out, int flags)
{
    const struct {
        Elf64_Nhdr head;
        char name[4];
        unsigned char entry[8];
    } note = {{4, 8, 18}, "Xen", {0}};
    Elf64_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_phoff = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    Elf64_Phdr segment = {
        .p_type = PT_NOTE,
        .p_offset = sizeof(header) + sizeof(segment),
        .p_filesz = (flags & SAMPLE_PVH) != 0 ? sizeof(note) : 0,
    };
    buf_append(out, &header, sizeof(header));
    buf_append(out, &segment, sizeof(segment));
    buf_append(out, &note, sizeof(note));
    for (unsigned int i = 0, x = 1; i < 20000; i++) { /* not all alike, not all different */
        x = x * 1664525 + 1013904223;
        unsigned char byte = (unsigned char)(x >> 28);
        buf_append(out, &byte, 1);
    }
    static const char drivers[] = "\0virtio-mmio\0virtio_blk\0virtio_console";
    if ((flags & SAMPLE_VIRTIO) != 0) {
        buf_append(out, drivers, sizeof(drivers));
    }
    static const char vsock[] = "\0virtio-mmio\0virtio_blk\0vmw_vsock_virtio_transport";
    if ((flags & SAMPLE_VSOCK) != 0) {
        buf_append(out, vsock, sizeof(vsock));
    }
    static const char bus[] = "\0virtio-mmio\0virtio_blk";
    if ((flags & SAMPLE_DISK) != 0) {
        buf_append(out, bus, sizeof(bus));
    }
    static const char banner[] = "\0Linux version %s\0Linux version " SAMPLE_VERSION " (who@where)";
    buf_append(out, banner, sizeof(banner));
}

/* Packs by a filter of libarchive's ("xz", "zstd", "gzip", "bzip2", "lzma"). */
static inline void sample_pack(struct buf *out, const struct buf *data, const char *filter)
{
    size_t room = data->length + 65536;
    size_t used = 0;
    buf_reserve(out, room);
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    if (archive_write_set_format_raw(archive) != ARCHIVE_OK ||
        archive_write_add_filter_by_name(archive, filter) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        archive_write_open_memory(archive, out->data + out->length, room, &used) != ARCHIVE_OK ||
        archive_write_header(archive, entry) != ARCHIVE_OK ||
        archive_write_data(archive, data->data, data->length) != (la_ssize_t)data->length ||
        archive_write_close(archive) != ARCHIVE_OK) {
        (void)fprintf(stderr, "packing: %s\n", archive_error_string(archive));
        abort();
    }
    archive_entry_free(entry);
    (void)archive_write_free(archive);
    out->length += used;
}

static inline void sample_put32(struct buf *out, size_t value)
{
    unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                              (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    buf_append(out, bytes, sizeof(bytes));
}

/* As the kernel's build does: "lz4 -l", one block. */
static inline void sample_pack_lz4(struct buf *out, const struct buf *data)
{
    int room = LZ4_compressBound((int)data->length);
    char *packed = xmalloc((size_t)room);
    int length = LZ4_compress_default(data->data, packed, (int)data->length, room);
    sample_put32(out, 0x184c2102);
    sample_put32(out, (size_t)length);
    buf_append(out, packed, (size_t)length);
    free(packed);
}

#define SAMPLE_SETUP 1024 /* one sector of setup code behind the first */

static inline void sample_bzimage(struct buf *out, const struct buf *payload, size_t unpacked)
{
    unsigned char setup[SAMPLE_SETUP] = {[0x1f1] = 1, [0x1fe] = 0x55, [0x1ff] = 0xaa, [0x206] = 15};
    setup[0x207] = 2;
    memcpy(setup + 0x202, "HdrS", 4);
    setup[0x248] = 16; /* the payload lies a little behind the setup code */
    size_t length = payload->length + 4;
    memcpy(setup + 0x24c, &length, 4);
    buf_append(out, setup, sizeof(setup));
    buf_append(out, "padding padding.", 16);
    buf_append(out, payload->data, payload->length);
    sample_put32(out, unpacked);
}

/* -- Modules ----------------------------------------------------------------------------------- */

/* An ELF object with nothing but .modinfo: what libkmod reads dependencies from. */
static inline void sample_module(struct buf *out, const char *name, const char *depends)
{
    char info[256];
    int length = snprintf(info, sizeof(info), "name=%s%cdepends=%s%cvermagic=" SAMPLE_VERSION " ",
                          name, 0, depends, 0) +
                 1;
    static const char names[] = "\0.modinfo\0.shstrtab";
    Elf64_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_REL,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof(header),
        .e_shoff = sizeof(header),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 3,
        .e_shstrndx = 2,
    };
    size_t start = sizeof(header) + 3 * sizeof(Elf64_Shdr);
    Elf64_Shdr sections[3] = {
        {0},
        {.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = start, .sh_size = (size_t)length},
        {.sh_name = 10,
         .sh_type = SHT_STRTAB,
         .sh_offset = start + (size_t)length,
         .sh_size = sizeof(names)},
    };
    buf_append(out, &header, sizeof(header));
    buf_append(out, sections, sizeof(sections));
    buf_append(out, info, (size_t)length);
    buf_append(out, names, sizeof(names));
}

/* -- Packages ---------------------------------------------------------------------------------- */

struct sample_member {
    const char *path;
    const char *data;
    size_t length;
    const char *link; /* not NULL: a symbolic link */
};

static inline void sample_archive(struct buf *out, const char *format, const char *filter,
                                  const struct sample_member *members, size_t count)
{
    size_t room = 4 * 1024 * 1024;
    size_t used = 0;
    buf_reserve(out, room);
    struct archive *archive = archive_write_new();
    int status = archive_write_set_format_by_name(archive, format);
    if (filter != NULL && status == ARCHIVE_OK) {
        status = archive_write_add_filter_by_name(archive, filter);
    }
    (void)archive_write_set_bytes_in_last_block(archive, 1);
    if (status != ARCHIVE_OK ||
        archive_write_open_memory(archive, out->data + out->length, room, &used) != ARCHIVE_OK) {
        (void)fprintf(stderr, "archive: %s\n", archive_error_string(archive));
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, members[i].path);
        archive_entry_set_mode(entry, members[i].link != NULL ? AE_IFLNK | 0777 : AE_IFREG | 0644);
        archive_entry_set_size(entry, (la_int64_t)members[i].length);
        if (members[i].link != NULL) {
            archive_entry_set_symlink(entry, members[i].link);
        }
        if (archive_write_header(archive, entry) != ARCHIVE_OK ||
            archive_write_data(archive, members[i].data, members[i].length) !=
                (la_ssize_t)members[i].length) {
            (void)fprintf(stderr, "archive: %s\n", archive_error_string(archive));
            abort();
        }
        archive_entry_free(entry);
    }
    if (archive_write_close(archive) != ARCHIVE_OK) {
        (void)fprintf(stderr, "archive: %s\n", archive_error_string(archive));
        abort();
    }
    (void)archive_write_free(archive);
    out->length += used;
}

static inline void sample_deb(struct buf *out, const char *control,
                              const struct sample_member *members, size_t count)
{
    struct buf control_tar = BUF_INIT;
    struct buf data_tar = BUF_INIT;
    const struct sample_member about = {.path = "./control", control, strlen(control), NULL};
    sample_archive(&control_tar, "ustar", "gzip", &about, 1);
    sample_archive(&data_tar, "ustar", "xz", members, count);
    const struct sample_member parts[] = {
        {"debian-binary", "2.0\n", 4, NULL},
        {"control.tar.gz", control_tar.data, control_tar.length, NULL},
        {"data.tar.xz", data_tar.data, data_tar.length, NULL},
    };
    sample_archive(out, "arbsd", NULL, parts, 3);
    buf_free(&control_tar);
    buf_free(&data_tar);
}

#endif
