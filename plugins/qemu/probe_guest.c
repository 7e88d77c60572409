/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The probe guest: a PVH kernel (Xen's x86/HVM direct boot ABI) that does what every 64-bit kernel
 * does first, switching on paging and long mode, then writes to isa-debug-exit and so ends QEMU
 * with a status that nothing else has. A /dev/kvm that answers but runs no kernel does not get
 * there.
 */
#include "qemu.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOAD_ADDRESS 0x100000
#define CODE_BYTES 256
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/*
 * Assembled here, run in the guest at LOAD_ADDRESS. Entered in 32-bit protected mode, flat
 * segments, paging off. Page tables go to 2 MiB, where memory is still zero: one level each,
 * identity-mapping the first 2 MiB with one large page.
 */
__asm__(".pushsection .rodata\n"
        ".set probe_base, 0x100000\n"
        ".balign 8\n"
        "probe_code:\n"
        ".code32\n"
        "    movl $0x201003, 0x200000\n" /* PML4[0]: the next table, present and writable */
        "    movl $0x202003, 0x201000\n" /* PDPT[0] */
        "    movl $0x000083, 0x202000\n" /* PD[0]: 0 to 2 MiB, a large page */
        "    movl %cr4, %eax\n"
        "    orl  $0x20, %eax\n" /* PAE */
        "    movl %eax, %cr4\n"
        "    movl $0x200000, %eax\n"
        "    movl %eax, %cr3\n"
        "    movl $0xc0000080, %ecx\n" /* EFER */
        "    rdmsr\n"
        "    orl  $0x100, %eax\n" /* LME */
        "    wrmsr\n"
        "    movl %cr0, %eax\n"
        "    orl  $0x80000001, %eax\n" /* PG and PE */
        "    movl %eax, %cr0\n"
        "    lgdt (probe_base + probe_gdt_register - probe_code)\n"
        "    ljmp $8, $(probe_base + probe_long_mode - probe_code)\n"
        ".code64\n"
        "probe_long_mode:\n"
        "    movq $0x1500000000, %rax\n" /* 64-bit registers or it does not come out as 0x15 */
        "    shrq $32, %rax\n"
        "    outb %al, $0xf4\n"
        "1:  hlt\n"
        "    jmp 1b\n"
        ".balign 8\n"
        "probe_gdt: .quad 0, 0x00209b0000000000\n" /* 8: code, 64-bit, present, ring 0 */
        "probe_gdt_register: .word 15\n"
        "    .long probe_base + probe_gdt - probe_code\n"
        ".org probe_code + 256\n" /* CODE_BYTES; an error when the code is longer */
        ".popsection\n");

extern const uint8_t probe_code[CODE_BYTES] __attribute__((visibility("hidden")));

struct probe_image {
    Elf32_Ehdr header;
    Elf32_Phdr load;
    Elf32_Phdr note_header;
    struct {
        Elf32_Nhdr header;
        char name[4];
        uint32_t entry;
    } note;
};

static const struct probe_image image = {
    .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_EXEC,
               .e_machine = EM_386,
               .e_version = EV_CURRENT,
               .e_entry = LOAD_ADDRESS,
               .e_phoff = offsetof(struct probe_image, load),
               .e_ehsize = sizeof(Elf32_Ehdr),
               .e_phentsize = sizeof(Elf32_Phdr),
               .e_phnum = 2},
    .load = {.p_type = PT_LOAD,
             .p_offset = sizeof(struct probe_image),
             .p_vaddr = LOAD_ADDRESS,
             .p_paddr = LOAD_ADDRESS,
             .p_filesz = CODE_BYTES,
             .p_memsz = CODE_BYTES,
             .p_flags = PF_R | PF_W | PF_X},
    .note_header = {.p_type = PT_NOTE,
                    .p_offset = offsetof(struct probe_image, note),
                    .p_filesz = sizeof(((struct probe_image *)0)->note),
                    .p_memsz = sizeof(((struct probe_image *)0)->note),
                    .p_flags = PF_R,
                    .p_align = 4},
    .note = {.header = {.n_namesz = 4, .n_descsz = 4, .n_type = XEN_ELFNOTE_PHYS32_ENTRY},
             .name = "Xen",
             .entry = LOAD_ADDRESS},
};

int probe_guest_open(void)
{
    struct {
        struct probe_image image;
        uint8_t code[CODE_BYTES];
    } file = {.image = image};
    int fd = memfd_create("banger-probe-guest", MFD_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    memcpy(file.code, probe_code, CODE_BYTES);
    if (write(fd, &file, sizeof(file)) != (ssize_t)sizeof(file)) {
        int reason = errno;

        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
