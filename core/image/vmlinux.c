/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmlinux.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "unpack.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* With debug information; without, 50 MB are usual. */
#define KERNEL_MAX ((off_t)1024 * 1024 * 1024)

/* The setup header, Documentation/arch/x86/boot.rst. All numbers are little-endian. */
#define SECTOR 512
#define AT_SETUP_SECTS 0x1f1 /* u8: sectors of real-mode code behind the first; 0 means 4 */
#define AT_BOOT_FLAG 0x1fe   /* u16: 0xaa55 */
#define AT_MAGIC 0x202       /* "HdrS" */
#define AT_PROTOCOL 0x206    /* u16: payload_offset is there from 2.08 on */
#define AT_PAYLOAD_OFFSET 0x248
#define AT_PAYLOAD_LENGTH 0x24c
#define SETUP_HEADER_END 0x250
#define PROTOCOL_PAYLOAD 0x0208
#define SIZE_TRAILER 4 /* u32 behind the packed data: how much it unpacks to */

static uint16_t get16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)get16(at) | (uint32_t)get16(at + 2) << 16;
}

struct payload {
    off_t start;
    off_t length;   /* without the trailer */
    off_t unpacked; /* as the trailer says */
};

static int payload_find(int fd, off_t size, struct payload *payload, banger_error *err)
{
    unsigned char header[SETUP_HEADER_END];
    if (pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        get16(header + AT_BOOT_FLAG) != 0xaa55 || memcmp(header + AT_MAGIC, "HdrS", 4) != 0) {
        return error_set(err, BANGER_EINVALID,
                         "it is neither an x86 bzImage nor an uncompressed ELF kernel");
    }
    if (get16(header + AT_PROTOCOL) < PROTOCOL_PAYLOAD) {
        return error_set(err, BANGER_EINVALID,
                         "its boot protocol %u.%02u is older than 2.08 (Linux 2.6.26)",
                         header[AT_PROTOCOL + 1], header[AT_PROTOCOL]);
    }
    off_t sectors = header[AT_SETUP_SECTS] != 0 ? header[AT_SETUP_SECTS] : 4;
    payload->start = (sectors + 1) * SECTOR + (off_t)get32(header + AT_PAYLOAD_OFFSET);
    off_t length = (off_t)get32(header + AT_PAYLOAD_LENGTH);
    if (length <= SIZE_TRAILER || payload->start + length > size) {
        return error_set(err, BANGER_EINVALID,
                         "its payload (%lld bytes from %lld on) is not inside its %lld bytes",
                         (long long)length, (long long)payload->start, (long long)size);
    }
    payload->length = length - SIZE_TRAILER;
    unsigned char trailer[SIZE_TRAILER];
    if (pread(fd, trailer, sizeof(trailer), payload->start + payload->length) !=
        (ssize_t)sizeof(trailer)) {
        return error_set(err, BANGER_EIO, "it cannot be read");
    }
    payload->unpacked = (off_t)get32(trailer);
    return 0;
}

static int payload_unpack(int fd, const struct payload *payload, int to, banger_error *err)
{
    struct unpack_source source = {
        .what = "its payload", .fd = fd, .start = payload->start, .length = payload->length};
    if (payload->unpacked > KERNEL_MAX) {
        return error_set(err, BANGER_EINVALID, "its payload would unpack to %lld bytes",
                         (long long)payload->unpacked);
    }
    off_t got = unpack_range(&source, to, payload->unpacked, err);
    if (got < 0) {
        return -1;
    }
    unsigned char magic[SELFMAG];
    if (pread(to, magic, sizeof(magic), 0) != SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         "its payload is packed in a way that is not known: LZ4, XZ, LZMA, ZSTD, "
                         "gzip and bzip2 are");
    }
    if (got != payload->unpacked) {
        return error_set(err, BANGER_EINVALID, "its payload unpacks to %lld bytes instead of %lld",
                         (long long)got, (long long)payload->unpacked);
    }
    return 0;
}

static int extract(int from, int to, struct elf_kernel *kernel, banger_error *err)
{
    struct stat info;
    if (fstat(from, &info) < 0) {
        return error_sys(err, errno, "it cannot be looked at");
    }
    if (!S_ISREG(info.st_mode) || info.st_size > KERNEL_MAX) {
        return error_set(err, BANGER_EINVALID, "it is not a regular file of at most %lld bytes",
                         (long long)KERNEL_MAX);
    }
    unsigned char magic[SELFMAG] = {0};
    struct payload payload = {0};
    if (pread(from, magic, sizeof(magic), 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0) {
        if (lseek(from, 0, SEEK_SET) < 0) {
            return error_sys(err, errno, "it cannot be read");
        }
        if (fd_copy_sparse(from, to, info.st_size, err) < 0) {
            return -1;
        }
    } else if (payload_find(from, info.st_size, &payload, err) < 0 ||
               payload_unpack(from, &payload, to, err) < 0) {
        return -1;
    }
    return elf_kernel_inspect(to, kernel, err);
}

int vmlinux_extract(const char *what, int from, int to, struct elf_kernel *kernel,
                    banger_error *err)
{
    if (extract(from, to, kernel, err) < 0) {
        return error_prefix(err, "%s is no usable kernel: ", what);
    }
    return 0;
}
