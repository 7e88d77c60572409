/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's functions, each used by a hook as a plugin would. */
#include "call_fixture.h"

/* -- Input ---------------------------------------------------------------------------------------
 */

static int read_all(const struct banger_host *host, struct banger_call *call)
{
    note("name", host->get_string(call, "vm.name", "-"));
    note("label", host->get_string(call, "vm.labels.tier", "-"));
    note("number as text", host->get_string(call, "vm.vcpu", "-"));
    note("object as text", host->get_string(call, "vm.labels", "-"));
    note("absent", host->get_string(call, "vm.absent.deep", "-"));
    note("null", host->get_string(call, "vm.absent", NULL));
    note_int("vcpu", host->get_int(call, "vm.vcpu", -1));
    note_int("text as number", host->get_int(call, "vm.name", -1));
    note_int("rm", host->get_bool(call, "vm.rm", 0));
    note_int("number as bool", host->get_bool(call, "vm.vcpu", -1));
    note_int("room", host->get_int(call, "config.room", -1));
    note("labels", host->get_json(call, "vm.labels"));
    note("config", host->get_json(call, "config"));
    note("machine", host->get_json(call, "machine"));
    note("resources", host->get_json(call, "resources"));
    note_int("remaining", host->remaining_ms(call) > 9000 && host->remaining_ms(call) <= 10000);
    note_int("cancelled", host->cancelled(call));
    host->progress(call, "half");
    return 0;
}

static void getters_find_what_is_there(void **state)
{
    run_as(*state, HOOK_PREPARE, read_all);
    expect("name=web\nlabel=front\nnumber as text=2\nobject as text=-\nabsent=-\nnull=NULL\n"
           "vcpu=2\ntext as number=-1\nrm=1\nnumber as bool=-1\nroom=1024\n"
           "labels={\"tier\":\"front\"}\nconfig={\"room\":1024,\"tree\":{}}\nmachine=NULL\n"
           "resources=NULL\nremaining=1\ncancelled=1\nx=half\n");
}

/* More than the arena holds: earlier results must stay where they are. */
static int read_often(const struct banger_host *host, struct banger_call *call)
{
    const char *first = host->get_string(call, "vm.name", "-");
    const char *large = host->get_string(call, "vm.large", "-");
    bool same = true;
    for (int i = 0; i < 1000; i++) {
        same = same && strcmp(host->get_json(call, "vm.labels"), "{\"tier\":\"front\"}") == 0;
    }
    note_int("same", same);
    note("first", first);
    note_int("large", (int64_t)strlen(large));
    return 0;
}

static void results_live_as_long_as_the_hook(void **state)
{
    struct operation *operation = *state;
    AUTO_FREE char *large = xcalloc(5001, 1);
    memset(large, 'x', 5000);
    scope_set_input(scope_of(operation), "vm.large", json_string(large));
    run_as(operation, HOOK_PREPARE, read_often);
    expect("same=1\nfirst=web\nlarge=5000\n");
}

/* -- Output --------------------------------------------------------------------------------------
 */

static int store_values(const struct banger_host *host, struct banger_call *call)
{
    note_int("set", host->set_json(call, "agent", "{\"port\":7}"));
    note_int("again", host->set_json(call, "agent", "{\"port\":8}"));
    note_int("emit", host->emit(call, "lease.new", "{\"ip\":\"10.0.0.2\"}"));
    note_int("bad key", host->set_json(call, "a.b", "1"));
    note_int("bad name", host->emit(call, "Lease", "{}"));
    note_int("bad json", host->set_json(call, "k", "{"));
    note_int("no json", host->set_json(call, "k", NULL));
    return 0;
}

static int read_runtime(const struct banger_host *host, struct banger_call *call)
{
    note_int("port", host->get_int(call, "runtime.a.agent.port", -1));
    return 0;
}

static void runtime_is_visible_to_all(void **state)
{
    struct operation *operation = *state;
    static const struct banger_hooks a = {.size = sizeof(a), .prepare = store_values};
    static const struct banger_hooks b = {.size = sizeof(b), .prepare = read_runtime};
    add(operation->registry, "a", &a);
    add(operation->registry, "b", &b);
    assert_int_equal(dispatch_hook(scope_of(operation), HOOK_PREPARE, NULL), 0);
    expect("set=0\nagain=0\na.lease.new={\"ip\":\"10.0.0.2\"}\nemit=0\nbad key=-1\nbad name=-1\n"
           "bad json=-1\nno json=-1\nport=8\n");
    AUTO_JSON json_t *runtime = scope_runtime(scope_of(operation));
    AUTO_FREE char *text = json_text(runtime);
    assert_string_equal(text, "{\"a\":{\"agent\":{\"port\":8}}}");
    scope_clear_runtime(scope_of(operation));
    AUTO_JSON json_t *cleared = scope_runtime(scope_of(operation));
    assert_int_equal(json_object_size(cleared), 0);
}

static int contribute_some(const struct banger_host *host, struct banger_call *call)
{
    note_int("vcpu", host->contribute(call, "vcpu", "2"));
    note_int("seen", host->get_int(call, "machine.vcpu", -1));
    return host->contribute(call, "vcpu", "3");
}

static void contributions_reach_the_machine(void **state)
{
    struct operation *operation = *state;
    struct machine *machine = scope_compose(scope_of(operation));
    run_as(operation, HOOK_CONTRIBUTE, contribute_some);
    expect("vcpu=0\nseen=2\nerror=capability 'x': contributeMachineConfig: vcpu: it was set "
           "already, by 'x'\nhint=\n");
    assert_int_equal(json_get_int(machine_document(machine), "vcpu", 0), 2);
}

static int misplaced(const struct banger_host *host, struct banger_call *call)
{
    return host->contribute(call, "vcpu", "2");
}

static void contributions_have_their_hook(void **state)
{
    struct operation *operation = *state;
    (void)scope_compose(scope_of(operation));
    run_as(operation, HOOK_PREPARE, misplaced);
    expect("error=capability 'x': prepare: contribute is not allowed in prepare\nhint=\n");
}

static int act(const struct banger_host *host, struct banger_call *call)
{
    const char *result = NULL;
    note_int("set", host->set_json(call, "k", "1"));
    note_int("emit", host->emit(call, "e", "{}"));
    note_int("intend", host->resource_intend(call, "k", "k", NULL));
    note_int("exec", host->guest_exec(call, "{\"argv\":[\"x\"]}", &result));
    note_int("copy", host->guest_copy(call, "{}"));
    return host->spawn(call, "[\"/bin/true\"]", NULL);
}

static void pure_hooks_change_nothing(void **state)
{
    run_as(*state, HOOK_CHECK, act);
    expect("set=-1\nemit=-1\nintend=-1\nexec=-1\ncopy=-1\n"
           "error=capability 'x': check: spawn is not allowed in check, which must change "
           "nothing\nhint=\n");
}

/* -- Failures ------------------------------------------------------------------------------------
 */

static int fail_twice(const struct banger_host *host, struct banger_call *call)
{
    (void)host->contribute(call, "vcpu", "2"); /* survived: not the reason */
    host->hint(call, "turn it %d degrees", 180);
    (void)(host->fail)(call, BANGER_EBUSY, "first of %d", 2); /* cmocka has a macro fail() */
    (void)host->contribute(call, "vcpu", "2");
    return (host->fail)(call, BANGER_EIO, "second");
}

static void first_reason_wins(void **state)
{
    run_as(*state, HOOK_PREPARE, fail_twice);
    expect("error=capability 'x': prepare: first of 2\nhint=turn it 180 degrees\n");
}

/* What a host function says can be read, until the plugin has its own word. */
static int pass_on(const struct banger_host *host, struct banger_call *call)
{
    note("none", host->get_string(call, "call.error", NULL));
    note_int("code", host->get_int(call, "call.code", 0));
    (void)host->spawn(call, "[\"/bin/a\"]", "{\"rol\":1}");
    note("error", host->get_string(call, "call.error", NULL));
    note("hint", host->get_string(call, "call.hint", NULL));
    note_int("code", host->get_int(call, "call.code", 0));
    (void)host->contribute(call, "boot_args", "\"quiet\"");
    note("error", host->get_string(call, "call.error", NULL));
    return (host->fail)(call, BANGER_EIO, "in line 7");
}

static void failures_can_be_read(void **state)
{
    run_as(*state, HOOK_PREPARE, pass_on);
    expect("none=NULL\ncode=0\n"
           "error=unknown key 'rol' in spawn's options\nhint=did you mean 'role'?\ncode=13\n"
           "error=contribute is not allowed in prepare\n"
           "error=capability 'x': prepare: in line 7\nhint=\n");
}

static int survive(const struct banger_host *host, struct banger_call *call)
{
    (void)(host->fail)(call, BANGER_EIO, "never mind");
    return 0;
}

static void result_decides(void **state)
{
    run_as(*state, HOOK_PREPARE, survive);
    expect("");
}

/* -- Programs ------------------------------------------------------------------------------------
 */

static int run_programs(const struct banger_host *host, struct banger_call *call)
{
    const char *result = NULL;
    (void)host->run(call, "[\"/bin/sh\",\"-c\",\"printf 'o\\\\377'; echo e >&2; exit 3\"]",
                    &result);
    note("run", result);
    note_int("endless", host->run(call, "[\"/usr/bin/yes\"]", &result));
    note_int("relative", host->run(call, "[\"sh\"]", &result));
    note_int("empty", host->run(call, "[]", &result));
    note_int("numbers", host->run(call, "[\"/bin/sh\",1]", &result));
    return host->run(call, "[\"/nonexistent/program\"]", &result);
}

static void programs_run_without_a_shell(void **state)
{
    run_as(*state, HOOK_PREPARE, run_programs);
    const char *expected =
        "run={\"status\":3,\"stdout\":\"o?\",\"stderr\":\"e\\n\"}\nendless=-1\nrelative=-1\n"
        "empty=-1\nnumbers=-1\nerror=capability 'x': prepare: ";
    assert_int_equal(strncmp(seen.data, expected, strlen(expected)), 0);
    assert_non_null(strstr(seen.data, "/nonexistent/program"));
}

static int spawn_and_exec(const struct banger_host *host, struct banger_call *call)
{
    static const char *const bad[] = {
        "{\"rol\":\"vmm\"}",
        "{\"cwd\":\"run\"}",
        "{\"cwd\":\"/run/../etc\"}",
        "{\"cwd\":7}",
        "{\"log\":\"/var/log/a\\nb\"}",
        "{\"env\":[\"A=b\"]}",
        "{\"env\":{\"A\":1}}",
        "{\"env\":{\"A=B\":\"c\"}}",
        "{\"env\":{\"1A\":\"c\"}}",
    };
    const char *result = NULL;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (host->spawn(call, "[\"/bin/a\"]", bad[i]) == 0) {
            note("taken", bad[i]);
        }
    }
    note_int("spawn", host->spawn(call, "[\"/bin/a\"]", "{\"role\":\"vmm\"}"));
    note_int("exec", host->guest_exec(call, "{\"argv\":[\"true\"],\"timeout_ms\":99999}", &result));
    note("result", result);
    note_int("no argv", host->guest_exec(call, "{}", &result));
    return host->spawn(call, "[\"/bin/missing\"]", NULL);
}

static int copy_in(const struct banger_host *host, struct banger_call *call)
{
    static const char *const bad[] = {
        "[]",
        "{\"source\":\"/a\"}",
        "{\"source\":\"a\",\"path\":\"/b\"}",
        "{\"source\":\"/a\",\"path\":\"b\"}",
        "{\"source\":\"/a\",\"path\":\"/\"}",
        "{\"source\":\"/a\",\"path\":\"/b/../c\"}",
        "{\"source\":\"/a\",\"path\":\"/b\",\"mode\":2541}", /* 04755 */
        "{\"source\":\"/a\",\"path\":\"/b\",\"mod\":1}",
        "{\"path\":\"/b\"}",
        "{\"source\":\"/a\",\"content\":\"a\",\"path\":\"/b\"}",
        "{\"content\":1,\"path\":\"/b\"}",
    };
    note_int("copied", host->guest_copy(call, "{\"source\":\"/a\",\"path\":\"/b\",\"mode\":384}"));
    note_int("written", host->guest_copy(call, "{\"content\":\"secret\",\"path\":\"/b\"}"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (host->guest_copy(call, bad[i]) == 0) {
            note("taken", bad[i]);
        }
    }
    return host->guest_copy(call, "{\"source\":\"/missing\",\"path\":\"/b\"}");
}

static void copies_into_the_guest(void **state)
{
    run_as(*state, HOOK_POST_START, copy_in);
    expect("copy={\"source\":\"/a\",\"path\":\"/b\",\"mode\":384}\nbounded=1\ncopied=0\n"
           "copy={\"content\":\"secret\",\"path\":\"/b\"}\nbounded=1\nwritten=0\n"
           "copy={\"source\":\"/missing\",\"path\":\"/b\"}\nbounded=1\n"
           "error=capability 'x': postStart: no such file\nhint=\n");
}

static void services_do_the_rest(void **state)
{
    run_as(*state, HOOK_POST_START, spawn_and_exec);
    expect("x=[\"/bin/a\"]\noptions={\"role\":\"vmm\"}\nspawn=0\n"
           "guest={\"argv\":[\"true\"],\"timeout_ms\":99999}\nbounded=1\nexec=0\n"
           "result={\"status\":7}\nno argv=-1\nx=[\"/bin/missing\"]\noptions={}\n"
           "error=capability 'x': postStart: no such program\nhint=\n");
}

static void what_is_not_offered_says_so(void **state)
{
    struct operation *operation = *state;
    operation->scope = scope_for(operation->registry, NULL, NULL, NULL);
    run_as(operation, HOOK_PREPARE, act);
    expect("set=0\nemit=-1\nintend=-1\nexec=-1\ncopy=-1\n"
           "error=capability 'x': prepare: spawn is not offered in prepare\nhint=\n");
}

/* -- The journal ---------------------------------------------------------------------------------
 */

static int64_t foreign; /* a row of another owner */

static int take(const struct banger_host *host, struct banger_call *call)
{
    int64_t held = host->resource_intend(call, "rule", "first", "{\"n\":1}");
    note_int("held", host->resource_held(call, held, "{\"n\":2}"));
    note_int("second", host->resource_intend(call, "rule", "second", NULL) > held);
    note_int("not an object", host->resource_intend(call, "rule", "third", "[]"));
    note_int("no kind", host->resource_intend(call, "", "third", NULL));
    return host->resource_gone(call, foreign);
}

static int give_back(const struct banger_host *host, struct banger_call *call)
{
    AUTO_JSON json_t *rows = json_loads(host->get_json(call, "resources"), 0, NULL);
    size_t index = 0;
    json_t *row = NULL;
    json_array_foreach (rows, index, row) {
        note(json_get_string(row, "key", "?"), json_get_string(row, "state", "?"));
        note_int("n", json_get_int(row, "attrs.n", -1));
        note_int("gone", host->resource_gone(call, json_get_int(row, "id", 0)));
    }
    note("left", host->get_json(call, "resources"));
    return 0;
}

static void resources_come_back_in_cleanup(void **state)
{
    struct operation *operation = *state;
    char folder[] = "/tmp/banger-call-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct store *store = open_store(folder);
    foreign = journal_intend(store, VM_ID, "core", "dir", "/x", NULL, NULL);
    assert_true(foreign > 0);
    static const struct banger_hooks hooks = {
        .size = sizeof(hooks), .prepare = take, .cleanup = give_back};
    struct capability *nat = add(operation->registry, "nat", &hooks);

    struct scope *start = scope_for(operation->registry, store, VM_ID, NULL);
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook_of(start, nat, HOOK_PREPARE, &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_non_null(strstr(err.message, "'nat' has no resource"));
    scope_unref(start);

    struct scope *stop = scope_for(operation->registry, store, VM_ID, NULL);
    assert_int_equal(dispatch_hook_of(stop, nat, HOOK_CLEANUP, NULL), 0);
    scope_unref(stop);
    expect("held=0\nsecond=1\nnot an object=-1\nno kind=-1\n"
           "second=intent\nn=-1\ngone=0\nfirst=held\nn=2\ngone=0\nleft=[]\n");

    struct resource_list left = {0};
    assert_int_equal(journal_list(store, VM_ID, NULL, &left, NULL), 0);
    assert_int_equal(left.count, 1);
    assert_int_equal(left.items[0].id, foreign);
    resource_list_free(&left);
    store_close(store);
    assert_int_equal(dir_remove(folder, NULL), 0);
}

static int contribute_nonsense(const struct banger_host *host, struct banger_call *call)
{
    return host->contribute(call, "vcpu", "\"many\"");
}

static int blame_the_user(const struct banger_host *host, struct banger_call *call)
{
    (void)host->contribute(call, "vcpu", "\"many\"");
    return (host->fail)(call, BANGER_EINVALID, "the user said so");
}

/* EINVALID ends the CLI as a wrong flag does: a plugin's wrong argument is none of the user's. */
static void only_a_plugin_says_what_is_invalid(void **state)
{
    struct operation *operation = *state;
    static const struct banger_hooks nonsense = {.size = sizeof(nonsense),
                                                 .contributeMachineConfig = contribute_nonsense};
    static const struct banger_hooks blame = {.size = sizeof(blame),
                                              .contributeMachineConfig = blame_the_user};
    struct capability *x = add(operation->registry, "x", &nonsense);
    struct capability *y = add(operation->registry, "y", &blame);
    banger_error err = BANGER_ERROR_INIT;
    (void)scope_compose(scope_of(operation));
    assert_int_equal(dispatch_hook_of(scope_of(operation), x, HOOK_CONTRIBUTE, &err), -1);
    assert_int_equal(err.code, BANGER_EINTERNAL);
    err = BANGER_ERROR_INIT;
    assert_int_equal(dispatch_hook_of(scope_of(operation), y, HOOK_CONTRIBUTE, &err), -1);
    assert_int_equal(err.code, BANGER_EINVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(getters_find_what_is_there),
        TEST(results_live_as_long_as_the_hook),
        TEST(runtime_is_visible_to_all),
        TEST(contributions_reach_the_machine),
        TEST(contributions_have_their_hook),
        TEST(pure_hooks_change_nothing),
        TEST(first_reason_wins),
        TEST(failures_can_be_read),
        TEST(result_decides),
        TEST(programs_run_without_a_shell),
        TEST(services_do_the_rest),
        TEST(copies_into_the_guest),
        TEST(what_is_not_offered_says_so),
        TEST(resources_come_back_in_cleanup),
        TEST(only_a_plugin_says_what_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
