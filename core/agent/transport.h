/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How hosts reach the agent. Every descriptor is non-blocking and close-on-exec. */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

/* The virtio-serial port of the name AGENT_SERIAL_NAME; -1 while there is none. */
int transport_open_port(void);
/* Port AGENT_VSOCK_PORT; -1 where the guest has no vsock. */
int transport_listen_vsock(void);
int transport_listen_unix(const char *path); /* for tests: the same server on any Linux */
/* The next connection that may speak to us, or -1. */
int transport_accept(int listener);
void transport_unblock(int fd);

#endif
