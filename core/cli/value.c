/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "value.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)
#define HOUR_MS (INT64_C(3600) * 1000)
#define USER_MAX 32 /* useradd(8) */
#define HOST_SUFFIX ".vm"

typedef int (*check_fn)(const char *what, const char *text, banger_error *err);

static int check_vcpu(const char *what, const char *text, banger_error *err)
{
    int64_t value = 0;
    return number_parse(what, text, 1, 32, &value, err);
}

static int check_whole_mib(const char *what, const char *text, int64_t minimum, int64_t maximum,
                           banger_error *err)
{
    int64_t bytes = 0;
    if (size_parse(what, text, MIB, minimum, maximum, &bytes, err) < 0) {
        return -1;
    }
    if (bytes % MIB != 0) {
        return error_set(err, BANGER_EINVALID, "invalid %s '%s': use a whole number of MiB", what,
                         text);
    }
    return 0;
}

static int check_memory(const char *what, const char *text, banger_error *err)
{
    return check_whole_mib(what, text, 64 * MIB, TIB, err);
}

static int check_disk(const char *what, const char *text, banger_error *err)
{
    return check_whole_mib(what, text, 64 * MIB, 64 * TIB, err);
}

static int check_duration(const char *what, const char *text, banger_error *err)
{
    int64_t value = 0;
    return duration_parse(what, text, 0, HOUR_MS, &value, err);
}

static int check_port(const char *what, const char *text, banger_error *err)
{
    int64_t value = 0;
    return number_parse(what, text, 1, 65535, &value, err);
}

static int check_vm_host(const char *what, const char *text, banger_error *err)
{
    AUTO_FREE char *vm = value_vm_of_host(text);
    return name_check_label(what, vm, err);
}

static int check_lines(const char *what, const char *text, banger_error *err)
{
    int64_t value = 0;
    return number_parse(what, text, 0, 1000000, &value, err);
}

static int check_event(const char *what, const char *text, banger_error *err)
{
    int64_t value = 0;
    return number_parse(what, text, 0, INT64_MAX, &value, err);
}

static bool is_signal_name(const char *text)
{
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int number = 1; number < SIGRTMIN; number++) {
        const char *known = sigabbrev_np(number);
        if (known != NULL && strcasecmp(name, known) == 0) {
            return true;
        }
    }
    return false;
}

static int check_signal(const char *what, const char *text, banger_error *err)
{
    int64_t number = 0;
    if (is_signal_name(text) || number_parse(what, text, 1, SIGRTMAX, &number, NULL) == 0) {
        return 0;
    }
    return error_set(
        err, BANGER_EINVALID,
        "invalid %s '%s': use a name such as TERM or SIGKILL, or a number from 1 to %d", what, text,
        SIGRTMAX);
}

/* A decimal port number up to `end`; returns what follows it, or NULL. */
static const char *skip_port(const char *text)
{
    long value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && at - text < 5; at++) {
        value = value * 10 + (*at - '0');
    }
    return at != text && value >= 1 && value <= 65535 ? at : NULL;
}

static int check_publish(const char *what, const char *text, banger_error *err)
{
    const char *at = text;
    const char *colon = strchr(text, ':');
    if (colon != NULL && strchr(colon + 1, ':') != NULL) { /* an address comes first */
        char address[INET_ADDRSTRLEN] = "";
        struct in_addr parsed;
        size_t length = (size_t)(colon - text);
        if (length < sizeof(address)) {
            memcpy(address, text, length);
        }
        at = inet_pton(AF_INET, address, &parsed) == 1 ? colon + 1 : NULL;
    }
    at = at != NULL ? skip_port(at) : NULL;
    at = at != NULL && *at == ':' ? skip_port(at + 1) : NULL;
    if (at != NULL && (*at == '\0' || str_equal(at, "/tcp") || str_equal(at, "/udp"))) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID,
                     "invalid %s '%s': use [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], with an IPv4 "
                     "address and ports from 1 to 65535",
                     what, text);
}

static int check_label(const char *what, const char *text, banger_error *err)
{
    (void)what;
    return name_check_label_pair(text, err);
}

static int check_env(const char *what, const char *text, banger_error *err)
{
    (void)what;
    return name_check_env(text, err);
}

static int check_boot_arg(const char *what, const char *text, banger_error *err)
{
    (void)what;
    return name_check_boot_arg(text, err);
}

static int check_user(const char *what, const char *text, banger_error *err)
{
    size_t length = strlen(text);
    bool good = length >= 1 && length <= USER_MAX && text[0] != '-';
    for (size_t i = 0; good && i < length; i++) {
        good = isalnum((unsigned char)text[i]) || strchr("._-", text[i]) != NULL;
    }
    if (good) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID,
                     "invalid %s '%s': use the name or number of a user in the guest, at most %d "
                     "letters, digits, '.', '_' and '-'",
                     what, text, USER_MAX);
}

static int check_word(const char *what, const char *text, banger_error *err)
{
    if (text[0] != '\0') {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "invalid %s '': it must not be empty", what);
}

char *value_vm_of_host(const char *text)
{
    size_t length = strlen(text);
    bool is_host = str_ends(text, HOST_SUFFIX) && length > strlen(HOST_SUFFIX);
    return str_format("%.*s", (int)(length - (is_host ? strlen(HOST_SUFFIX) : 0)), text);
}

int value_copy_split(const char *text, const char **path)
{
    const char *colon = strchr(text, ':');
    const char *slash = strchr(text, '/');
    if (colon == NULL || colon == text || (slash != NULL && slash < colon)) {
        *path = text;
        return 0;
    }
    *path = colon + 1;
    return (int)(colon - text);
}

static int check_copy(const char *what, const char *text, banger_error *err)
{
    const char *path = NULL;
    int length = value_copy_split(text, &path);
    if (length == 0) {
        return check_word(what, text, err);
    }
    AUTO_FREE char *vm = str_format("%.*s", length, text);
    if (name_check_label("VM name", vm, err) < 0) {
        return error_hint(err, "a local path with a colon in it is written ./%s", text);
    }
    AUTO_FREE char *bare = xstrdup(path);
    size_t end = strlen(bare);
    while (end > 1 && bare[end - 1] == '/') { /* "folder/" is how people write folders */
        bare[--end] = '\0';
    }
    return name_check_path("path in the guest", bare, err);
}

/* -- The table ----------------------------------------------------------------------------------
 */

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct value_type {
    check_fn check; /* NULL: one of the words of the completion */
    struct value_completion completion;
};

static const struct value_type types[] = {
    [VALUE_VM] = {name_check_label, {.list = "vm list --all"}},
    [VALUE_VM_HOST] = {check_vm_host, {.list = "vm list --all"}},
    [VALUE_NEW_VM] = {name_check_label, {0}},
    [VALUE_IMAGE] = {name_check_artifact, {.list = "image list"}},
    [VALUE_NEW_IMAGE] = {name_check_artifact, {0}},
    [VALUE_KERNEL] = {name_check_artifact, {.list = "kernel list"}},
    [VALUE_NEW_KERNEL] = {name_check_artifact, {0}},
    [VALUE_PLUGIN] = {name_check_artifact, {.list = "plugin list"}},
    [VALUE_NEW_PLUGIN] = {name_check_plugin, {0}},
    [VALUE_VMM] = {name_check_artifact, {.words = WORDS("auto", "firecracker", "qemu")}},
    [VALUE_ROOTFS] = {name_check_artifact,
                      {.words = WORDS("auto", "copy", "dm-snapshot", "reflink")}},
    [VALUE_NETWORK] = {name_check_artifact, {.words = WORDS("auto", "bridge", "user", "none")}},
    [VALUE_VCPU] = {check_vcpu, {0}},
    [VALUE_MEMORY] = {check_memory, {0}},
    [VALUE_DISK] = {check_disk, {0}},
    [VALUE_DURATION] = {check_duration, {0}},
    [VALUE_SIGNAL] = {check_signal,
                      {.words = WORDS("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2")}},
    [VALUE_LINES] = {check_lines, {0}},
    [VALUE_EVENT] = {check_event, {0}},
    [VALUE_PORT] = {check_port, {0}},
    [VALUE_PUBLISH] = {check_publish, {0}},
    [VALUE_LABEL] = {check_label, {0}},
    [VALUE_LABEL_KEY] = {name_check_artifact, {0}},
    [VALUE_ENV] = {check_env, {0}},
    [VALUE_BOOT_ARG] = {check_boot_arg, {0}},
    [VALUE_SWITCH] = {NULL, {.words = WORDS("on", "off")}},
    [VALUE_SHELL] = {NULL, {.words = WORDS("bash", "zsh", "fish")}},
    [VALUE_IMAGE_KIND] = {NULL, {.words = WORDS("tiny", "debian")}},
    [VALUE_USER] = {check_user, {0}},
    [VALUE_GUEST_DIR] = {name_check_path, {0}},
    [VALUE_FILE] = {check_word, {.files = 1}},
    [VALUE_DIR] = {check_word, {.files = 1}},
    [VALUE_PACKAGE] = {check_word, {.files = 1}},
    [VALUE_COPY] = {check_copy, {.list = "vm list --all", .files = 1}},
    [VALUE_TOPIC] = {check_word, {0}},
    [VALUE_WORD] = {check_word, {0}},
};

static int check_choice(const struct value_type *type, const char *what, const char *text,
                        banger_error *err)
{
    AUTO_BUF struct buf allowed = BUF_INIT;
    for (const char *const *word = type->completion.words; *word != NULL; word++) {
        if (strcmp(*word, text) == 0) {
            return 0;
        }
        buf_printf(&allowed, "%s%s", allowed.length == 0 ? "" : ", ", *word);
    }
    return error_set(err, BANGER_EINVALID, "invalid %s '%s': use one of %s", what, text,
                     allowed.data);
}

int value_check(enum value_kind kind, const char *what, const char *text, banger_error *err)
{
    AUTO_JSON json_t *sendable = json_string(text);
    if (sendable == NULL) {
        return error_set(err, BANGER_EINVALID, "invalid %s: it is not UTF-8 text", what);
    }
    const struct value_type *type = &types[kind];
    return type->check != NULL ? type->check(what, text, err) : check_choice(type, what, text, err);
}

const struct value_completion *value_completion_of(enum value_kind kind)
{
    return &types[kind].completion;
}

int64_t value_mib(const char *text)
{
    int64_t bytes = 0;
    (void)size_parse("size", text, MIB, 0, INT64_MAX, &bytes, NULL);
    return bytes / MIB;
}

int64_t value_milliseconds(const char *text)
{
    int64_t ms = 0;
    (void)duration_parse("duration", text, 0, INT64_MAX, &ms, NULL);
    return ms;
}

int64_t value_number(const char *text)
{
    int64_t number = 0;
    (void)number_parse("number", text, INT64_MIN, INT64_MAX, &number, NULL);
    return number;
}
