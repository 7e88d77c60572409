/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "elf_kernel.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define HEADERS_MAX 64                  /* program headers; Linux has 5 */
#define NOTES_MAX ((size_t)1024 * 1024) /* bytes of one note segment; Linux's has under 1 KiB */
#define XEN_NOTE_PHYS32_ENTRY 18        /* xen/include/public/elfnote.h: the PVH entry */
#define SCAN_BLOCK ((size_t)1024 * 1024)
#define SCAN_OVERLAP ((size_t)256) /* at least what is looked for and read behind it */
#define BANNER "Linux version "

/* Reads exactly `length` bytes at `at`; 0 when the file ends before. */
static int read_at(int fd, void *data, size_t length, uint64_t at)
{
    if (at > (uint64_t)INT64_MAX - length) {
        return 0;
    }
    size_t have = 0;
    while (have < length) {
        ssize_t got = pread(fd, (char *)data + have, length - have, (off_t)(at + have));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return 0;
        }
        have += (size_t)got;
    }
    return 1;
}

static int header_read(int fd, Elf64_Ehdr *header, banger_error *err)
{
    if (!read_at(fd, header, sizeof(*header), 0) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return error_set(err, BANGER_EINVALID, "it is not an ELF file");
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != EM_X86_64) {
        return error_set(err, BANGER_EINVALID, "it is not built for 64-bit x86");
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > HEADERS_MAX) {
        return error_set(err, BANGER_EINVALID,
                         "it is no executable kernel: %u program headers of %u bytes",
                         header->e_phnum, header->e_phentsize);
    }
    return 0;
}

static size_t note_padded(uint32_t length)
{
    return ((size_t)length + 3) & ~(size_t)3;
}

static bool notes_have_pvh(const unsigned char *notes, size_t length)
{
    size_t at = 0;
    while (length - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        size_t name = note_padded(note.n_namesz);
        size_t description = note_padded(note.n_descsz);
        if (name > length - at || description > length - at - name) {
            return false;
        }
        if (note.n_type == XEN_NOTE_PHYS32_ENTRY && note.n_namesz == sizeof("Xen") &&
            memcmp(notes + at, "Xen", sizeof("Xen")) == 0) {
            return true;
        }
        at += name + description;
    }
    return false;
}

static bool segment_has_pvh(int fd, const Elf64_Phdr *segment)
{
    if (segment->p_type != PT_NOTE || segment->p_filesz == 0 || segment->p_filesz > NOTES_MAX) {
        return false;
    }
    AUTO_FREE unsigned char *notes = xmalloc(segment->p_filesz);
    return read_at(fd, notes, segment->p_filesz, segment->p_offset) &&
           notes_have_pvh(notes, segment->p_filesz);
}

static int pvh_find(int fd, const Elf64_Ehdr *header, bool *pvh, banger_error *err)
{
    for (unsigned int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (header->e_phoff > (uint64_t)INT64_MAX / 2 ||
            !read_at(fd, &segment, sizeof(segment), header->e_phoff + i * sizeof(segment))) {
            return error_set(err, BANGER_EINVALID, "its program headers are cut off");
        }
        if (segment_has_pvh(fd, &segment)) {
            *pvh = true;
            return 0;
        }
    }
    return 0;
}

/* Calls `found` for every occurrence of `text` until it says yes. What `found` gets is followed by
 * at least SCAN_OVERLAP - strlen(text) bytes, or by the end of the file and zeros. */
typedef bool (*scan_fn)(const char *at, void *context);

static int scan_file(int fd, const char *text, size_t length, scan_fn found, void *context,
                     banger_error *err)
{
    AUTO_FREE char *block = xmalloc(SCAN_BLOCK + SCAN_OVERLAP);
    for (off_t start = 0;; start += SCAN_BLOCK) {
        memset(block, 0, SCAN_BLOCK + SCAN_OVERLAP);
        size_t have = 0;
        while (have < SCAN_BLOCK + SCAN_OVERLAP) {
            ssize_t got =
                pread(fd, block + have, SCAN_BLOCK + SCAN_OVERLAP - have, start + (off_t)have);
            if (got < 0 && errno != EINTR) {
                return error_sys(err, errno, "cannot read the kernel");
            }
            if (got == 0) {
                break;
            }
            have += got > 0 ? (size_t)got : 0;
        }
        const char *at = block;
        while ((at = memmem(at, (size_t)(block + have - at), text, length)) != NULL &&
               at < block + SCAN_BLOCK) {
            if (found(at, context)) {
                return 1;
            }
            at++;
        }
        if (have <= SCAN_BLOCK) {
            return 0;
        }
    }
}

/* "Linux version 6.1.0-56-cloud-amd64 (debian-kernel@..." and not the "%s" of a format. */
static bool banner_take(const char *at, void *context)
{
    struct elf_kernel *kernel = context;
    at += strlen(BANNER);
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "._+~-");
    if (at[0] < '0' || at[0] > '9' || at[length] != ' ' || length > KERNEL_VERSION_MAX) {
        return false;
    }
    memcpy(kernel->version, at, length);
    kernel->version[length] = '\0';
    return true;
}

int elf_kernel_inspect(int fd, struct elf_kernel *kernel, banger_error *err)
{
    Elf64_Ehdr header;
    *kernel = (struct elf_kernel){0};
    if (header_read(fd, &header, err) < 0 || pvh_find(fd, &header, &kernel->pvh, err) < 0) {
        return -1;
    }
    int found = scan_file(fd, BANNER, strlen(BANNER), banner_take, kernel, err);
    if (found == 0) {
        return error_set(err, BANGER_EINVALID, "it holds no text '" BANNER "...'");
    }
    return found < 0 ? -1 : 0;
}

static bool take_any(const char *at, void *context)
{
    (void)at;
    (void)context;
    return true;
}

int elf_kernel_mentions(int fd, const char *text, banger_error *err)
{
    size_t length = strlen(text);
    char whole[SCAN_OVERLAP] = {0}; /* a NUL on either side */
    if (length + 2 > sizeof(whole)) {
        return error_set(err, BANGER_EINTERNAL, "'%s' is too long to look for", text);
    }
    memcpy(whole + 1, text, length);
    return scan_file(fd, whole, length + 2, take_any, NULL, err);
}
