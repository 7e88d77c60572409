/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 512 bytes before each entry: POSIX.1-2008, pax, "ustar Interchange Format". */
#ifndef AGENT_TAR_HEADER_H
#define AGENT_TAR_HEADER_H

struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char unused[12];
};

#define TAR_PAX 'x'
#define TAR_PAX_GLOBAL 'g'
#define TAR_GNU_LONG_NAME 'L'
#define TAR_GNU_LONG_LINK 'K'

unsigned tar_checksum(const struct tar_header *header);

#endif
