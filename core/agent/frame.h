/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire between host and guest agent: frames of many streams over one byte pipe. Shared by both
 * sides (core/guest on the host, core/agent in the guest); plain C with no library, so that the
 * static agent can have it.
 *
 *   byte 0      FRAME_MAGIC
 *   byte 1      type (enum frame_type)
 *   bytes 2-5   stream number, little-endian; 0 is the connection itself
 *   bytes 6-9   payload length, little-endian, at most FRAME_PAYLOAD_MAX
 *   ...         payload
 *   last byte   FRAME_TAIL: a frame cut short by a lost peer is never taken for whole
 *
 * 1. The host opens with FRAME_PAYLOAD_MAX + 16 zero bytes, then HELLO with a random nonce. The
 * zeros end any frame that an earlier, vanished host left half sent; a receiver that finds a bad
 * magic or tail drops bytes until the next FRAME_MAGIC,HELLO header. (A virtio-serial port is one
 * pipe for the guest's whole life, whoever connects to its host end.)
 * 2. The agent resets every stream, answers WELCOME with the same nonce and its version.
 * 3. The host opens streams with OPEN and odd or even numbers of its own, growing, never reused.
 * 4. Data flows within credit: each side may send FRAME_WINDOW bytes of DATA a stream and direction
 *    (stdout and stderr together) and more as CREDIT comes back. One slow stream stops no other.
 * 5. EOF half-closes a direction. EXIT is the agent's last frame on a stream; RESET the host's,
 * which the agent answers with EXIT, so that the host knows when nothing more can come for that
 * number. Frames for a stream that the agent does not know crossed its EXIT: it ignores them.
 */
#ifndef AGENT_FRAME_H
#define AGENT_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAGIC 0xb6
#define FRAME_TAIL 0x6b
#define FRAME_HEADER 10
#define FRAME_PAYLOAD_MAX 32768
#define FRAME_WINDOW (256 * 1024)
#define FRAME_STREAMS_MAX 256 /* open at a time */
#define FRAME_VERSION 1
#define FRAME_NONCE 16 /* bytes */
#define FRAME_PREAMBLE (FRAME_PAYLOAD_MAX + 16)
#define FRAME_HELLO_LENGTH (FRAME_NONCE + 4)
#define FRAME_WELCOME_LENGTH (FRAME_NONCE + 12) /* without the text */
#define FRAME_GREETING_MAX 128                  /* a longer HELLO or WELCOME is garbage */

#define AGENT_VSOCK_PORT 1024              /* the first port that needs no privilege, vsock(7) */
#define AGENT_SERIAL_NAME "banger.agent.0" /* /dev/virtio-ports/..., the port's name attribute */

enum frame_type {
    FRAME_HELLO = 1, /* host: nonce, u32 version */
    FRAME_WELCOME =
        2, /* agent: nonce, u32 version, u64 boot time in ns, then text: "banger-agent 1.0.0" */
    FRAME_OPEN = 3,   /* host: u8 service (enum frame_service), then the service's request */
    FRAME_STDIN = 4,  /* host to agent: data */
    FRAME_STDOUT = 5, /* agent to host: data */
    FRAME_STDERR = 6,
    FRAME_EOF = 7,     /* no more data from this side */
    FRAME_CREDIT = 8,  /* u32: that many more bytes of data are welcome */
    FRAME_RESIZE = 9,  /* host: u16 rows, u16 columns */
    FRAME_SIGNAL = 10, /* host: u32 signal number (Linux x86-64's) */
    FRAME_EXIT = 11,   /* agent: i32 status (0-255; 128 + signal), then an error text or nothing */
    FRAME_RESET = 12,  /* host: the caller is gone; end the service */
    FRAME_PING = 13,   /* either: any payload; answered by PONG with the same */
    FRAME_PONG = 14,
};

enum frame_service {
    /* u8 flags (FRAME_EXEC_*), u16 rows, u16 columns, u16 argc, u16 envc, then NUL-terminated: user
     * ("" for root), working directory ("" for the user's home), argv..., NAME=VALUE... */
    SERVICE_EXEC = 1,
    /* NUL-terminated path: STDOUT carries a pax/ustar tar of it (a file, or a folder with all
       below). */
    SERVICE_TAR_OUT = 2,
    /* NUL-terminated path: STDIN carries a tar. The path is a folder, into which it is unpacked, or
       a new name in an existing folder, which the tar's one top entry then gets. "FOLDER/." is
       a folder that is made, with its parents, where it is missing. */
    SERVICE_TAR_IN = 3,
    SERVICE_STATS =
        4, /* STDOUT: JSON {"uptime_ms","load":[],"memory":{...},"disk":{...},"processes"} */
    SERVICE_PORTS =
        5, /* STDOUT: JSON [{"proto":"tcp","address":"0.0.0.0","port":22,"process":"sshd"}] */
    SERVICE_SHUTDOWN =
        6,             /* u8: 0 as Ctrl-Alt-Del would (restart, which ends the VMM), 1 power off */
    SERVICE_CLOCK = 7, /* u64 ns since 1970: set the guest's clock */
    /* u16 port, not 0: STDIN and STDOUT are a TCP connection to it in the guest. EOF comes from the
       agent too: each direction ends by itself. */
    SERVICE_CONNECT = 8,
};

#define FRAME_EXEC_TTY 1
#define FRAME_EXEC_STDIN 2 /* without it the program's stdin is /dev/null */

struct frame {
    uint8_t type;
    uint32_t stream;
    uint32_t length;
    const uint8_t *payload; /* inside the parser's buffer, until the next call */
};

/* Writes header, payload and tail into `out` (FRAME_HEADER + length + 1 bytes); returns that size.
 */
size_t frame_encode(uint8_t *out, uint8_t type, uint32_t stream, const void *payload,
                    uint32_t length);

/* An incremental parser. Fill `data` from `used` on, then call frame_next until it returns 0. */
struct frame_parser {
    size_t used;
    size_t taken;       /* bytes at the front that frame_next has handed out */
    uint64_t discarded; /* bytes dropped while looking for a HELLO, WELCOME after garbage */
    int resync;         /* looking for the next HELLO/WELCOME header */
    uint8_t data[FRAME_HEADER + FRAME_PAYLOAD_MAX + 1];
};

/* 1: `frame` is the next frame. 0: more bytes are needed (there is room for at least one). */
int frame_next(struct frame_parser *parser, struct frame *frame);

/* Little-endian numbers at any alignment. */
static inline uint32_t frame_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint16_t frame_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint64_t frame_get64(const uint8_t *at)
{
    return (uint64_t)frame_get32(at) | (uint64_t)frame_get32(at + 4) << 32;
}

static inline void frame_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void frame_put32(uint8_t *at, uint32_t value)
{
    frame_put16(at, (uint16_t)value);
    frame_put16(at + 2, (uint16_t)(value >> 16));
}

static inline void frame_put64(uint8_t *at, uint64_t value)
{
    frame_put32(at, (uint32_t)value);
    frame_put32(at + 4, (uint32_t)(value >> 32));
}

#endif
