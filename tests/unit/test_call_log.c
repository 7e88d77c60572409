/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hook's call may write into the daemon's log. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "capability/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOUD_LINES 4096

static int log_a_lot(const struct banger_host *host, struct banger_call *call)
{
    for (int i = 0; i < LOUD_LINES; i++) {
        host->log(call, BANGER_LOG_INFO, "%0255d", i);
    }
    return 0;
}

/* What is logged while a capability "x" runs its check twice. */
static void log_into(int fd)
{
    const struct banger_hooks hooks = {.size = sizeof(hooks), .check = log_a_lot};
    const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = "x", .hooks = &hooks};
    struct registry *registry = registry_new();
    assert_int_equal(registry_add(registry, &plugin, "built-in", NULL, NULL), 0);
    const struct scope_init init = {.registry = registry};
    struct scope *scope = scope_new(&init);
    int console = dup(2);
    (void)dup2(fd, 2);
    for (int i = 0; i < 2; i++) {
        (void)dispatch_hook_of(scope, registry_find(registry, "x"), HOOK_CHECK, NULL);
    }
    (void)dup2(console, 2);
    (void)close(console);
    scope_unref(scope);
    registry_free(registry);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        count++;
    }
    return count;
}

static void a_call_logs_no_more_than_its_share(void **state)
{
    char path[] = "/tmp/banger-test-log-XXXXXX";
    AUTO_CLOSE int fd = mkstemp(path);
    AUTO_BUF struct buf text = BUF_INIT;
    (void)state;
    log_into(fd);
    assert_int_equal(file_read(path, 8 * 1024 * 1024, &text, NULL), 0);
    (void)unlink(path);
    assert_int_equal(count_of(text.data, "x: 0"), 2 * 512); /* 128 KiB of 256 bytes, in each call */
    assert_int_equal(count_of(text.data, "logs more than 128 KiB"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_logs_no_more_than_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
