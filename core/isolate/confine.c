/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a plugin's process may have, and what it must not do to others. Against mistakes, not against malice: it
 * runs with the daemon's rights on files and the network.
 *
 * 1. Memory, descriptors and core dumps are limited (setrlimit(2)); a thread costs address space, so that
 *    their number is limited too.
 * 2. A filter (seccomp(2)) refuses new processes and programs: host->spawn and host->run start those, where
 *    they are known and end. Threads may be made. clone3(2), whose flags a filter cannot see, is "not
 *    there", and libc takes clone(2) instead.
 * 3. It refuses signals to any process but this one, by whatever call: by the number of one of its threads, of
 *    its group, or by a descriptor, too. What host->spawn has started is ended by the host. It refuses
 *    tracing, taking descriptors, changing others' limits, and a change of what ends the process with its
 *    parent.
 */
#include "isolate/child.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000U /* x32: another table of numbers, __X32_SYSCALL_BIT */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS UINT32_MAX
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "core/isolate/confine.c does not know this architecture's system calls"
#endif

/* A sanitizer's shadow memory is terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITS_MEMORY 0

/* A plugin ends by its signal and with its status, as it does without a sanitizer. */
static const char plain_ends[] =
    "detect_leaks=0:handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0";
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return plain_ends;
}
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
    return plain_ends;
}
#else
#define LIMITS_MEMORY 1
#endif

static int limit(int resource, rlim_t most, banger_error *err)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < most) {
        most = now.rlim_max;
    }
    const struct rlimit limits = {most, most};
    return setrlimit((__rlimit_resource_t)resource, &limits) == 0
               ? 0
               : error_sys(err, errno, "cannot limit the plugin's process");
}

/* -- The filter ----------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(n)                                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define ANSWER(errno_value) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errno_value))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE_CALL(number) EQUAL(number, 0, 1), ANSWER(EPERM)
/* The second word of an argument does not count: these are ints, and both machines are little-endian. */

static int install_filter(banger_error *err)
{
    const uint32_t self = (uint32_t)getpid();
    const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(OUR_ARCH, 1, 0),
        ANSWER(ENOSYS),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1),
        ANSWER(ENOSYS),
#ifdef SYS_fork
        REFUSE_CALL(SYS_fork),
        REFUSE_CALL(SYS_vfork),
#endif
        REFUSE_CALL(SYS_execve),
        REFUSE_CALL(SYS_execveat),
        REFUSE_CALL(SYS_ptrace),
        REFUSE_CALL(SYS_process_vm_writev),
        REFUSE_CALL(SYS_pidfd_send_signal),
        REFUSE_CALL(SYS_pidfd_getfd),
        EQUAL(SYS_clone3, 0, 1),
        ANSWER(ENOSYS),
        EQUAL(SYS_clone, 0, 4), /* flags: a thread */
        LOAD_ARGUMENT(0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
        ANSWER(EPERM),
        ALLOW,
        EQUAL(SYS_prctl, 0, 4), /* the way in which it ends with its parent */
        LOAD_ARGUMENT(0),
        EQUAL(PR_SET_PDEATHSIG, 0, 1),
        ANSWER(EPERM),
        ALLOW,
        EQUAL(SYS_kill, 5, 0),
        EQUAL(SYS_tkill, 4, 0),
        EQUAL(SYS_tgkill, 3, 0),
        EQUAL(SYS_rt_sigqueueinfo, 2, 0),
        EQUAL(SYS_rt_tgsigqueueinfo, 1, 0),
        EQUAL(SYS_prlimit64, 0, 4),
        LOAD_ARGUMENT(0), /* whom */
        EQUAL(0, 2, 0),   /* kill: its own group, in which it is alone; prlimit64: itself */
        EQUAL(self, 1, 0),
        ANSWER(EPERM),
        ALLOW,
    };
    const struct sock_fprog filter = {COUNT_OF(program), (struct sock_filter *)program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
        return error_sys(err, errno, "cannot confine the plugin's process");
    }
    return 0;
}

/* -- The whole ------------------------------------------------------------------------------------ */

int confine(int64_t memory, banger_error *err)
{
    if ((LIMITS_MEMORY != 0 && limit(RLIMIT_AS, (rlim_t)memory, err) < 0) ||
        limit(RLIMIT_NOFILE, CONFINE_FILES, err) < 0 || limit(RLIMIT_CORE, 0, err) < 0) {
        return -1;
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) { /* a core that goes to a program has no limit */
        return error_sys(err, errno, "cannot confine the plugin's process");
    }
    return install_filter(err);
}

static int64_t memory_in_use(void)
{
    char text[128];
    AUTO_CLOSE int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (got <= 0) {
        return 0;
    }
    text[got] = '\0';
    return strtoll(text, NULL, 10) * sysconf(_SC_PAGESIZE);
}

bool confine_is_tired(int64_t memory)
{
    int lowest = fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (lowest < 0) {
        return true; /* none is left, or the plugin has closed 0 */
    }
    (void)close(lowest);
    return lowest >= CONFINE_FILES / 2 || (LIMITS_MEMORY != 0 && memory_in_use() > memory / 4 * 3);
}
