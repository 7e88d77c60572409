/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices: block devices over files.
 *
 * Every one is made with LO_FLAGS_AUTOCLEAR: the kernel takes it away with its last user, be that the
 * descriptor here or a device-mapper table. So there is nothing to give back, and a daemon that is
 * killed leaves none.
 *
 * What is ours says so in lo_file_name, "banger:INSTANCE:base" or "...:own" (`losetup` shows the
 * file's path all the same; that comes from sysfs).
 */
#ifndef HOST_LOOP_DEVICE_H
#define HOST_LOOP_DEVICE_H

#include "host/host.h"

/* /dev/loop and a number of at most 20 bits (MINORBITS, include/linux/kdev_t.h). */
#define LOOP_PATH_MAX 24

struct loop_device {
    int fd; /* keeps it until somebody else uses it; the caller closes it */
    char path[LOOP_PATH_MAX];
};

#define LOOP_DEVICE_INIT ((struct loop_device){.fd = -1})

/* Whether there are loop devices here, and we may make them. Changes nothing. */
int loop_device_check(banger_error *err);
/* A new one over the whole of `file`, readable and writable. `file` stays the caller's. */
int loop_device_make(const struct host *host, int file, struct loop_device *device,
                     banger_error *err);
/* A read-only one over the whole of `file`: the one that this instance has for it already, or a new
 * one. Nothing can be written through it, whoever opens it, so that all VMs of an image may share it. */
int loop_device_share(struct host *host, int file, struct loop_device *device, banger_error *err);

void loop_device_close(struct loop_device *device);
#define AUTO_LOOP_DEVICE __attribute__((cleanup(loop_device_close)))

#endif
