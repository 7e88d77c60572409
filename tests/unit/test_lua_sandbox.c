/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a script may not have, and how those end that do not want to: in their time, with the reason. */
#include "lua_fixture.h"

#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

static void what_is_not_there(void **state)
{
    static const char *const names[] = {"io",        "package",    "debug",        "load",
                                        "loadfile",  "dofile",     "print",        "warn",
                                        "os.exit",   "os.execute", "os.getenv",    "os.remove",
                                        "os.rename", "os.tmpname", "os.setlocale", "string.dump"};
    char body[128];
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(body, sizeof(body), "local x = %s", names[i]);
        (void)snprintf(text, sizeof(text), "site.lua:1: there is no '%s' here: ", names[i]);
        run_badly(body, text);
    }
}

static void what_is_there(void **state)
{
    (void)state;
    run_well(
        "assert(os.time() > 0 and os.date('%Y') and os.clock() >= 0)\n"
        "assert(('x'):rep(3) == 'xxx' and table.concat({1, 2}) == '12')\n"
        "assert(math.max(1, 2) == 2 and utf8.char(228) == 'ä')\n"
        "local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end)\n"
        "assert(co(1) == 2 and co(4) == 8)\n"
        "assert(select('#', pcall(error, 'x')) == 2 and next({}) == nil)\n"
        "collectgarbage() assert(collectgarbage('count') > 0)\n"
        "assert(select(2, xpcall(error, function(e) return e .. '!' end, 'x')) == 'x!')\n"
        "assert(select('#', xpcall(select, error, 2, 1, 2, 3)) == 3)\n"
        "co = coroutine.wrap(function() return xpcall(coroutine.yield, error, 1) end)\n"
        "assert(co() == 1 and select(2, co(2)) == 2)\n"
        "co = coroutine.create(function() local x <close> = setmetatable({}, { __close = "
        "function(_, e) closed = e end })\n"
        "  coroutine.yield(pcall(coroutine.yield, 1)) error({ code = 7 }) end)\n"
        "coroutine.resume(co) assert(select(3, coroutine.resume(co, 2)) == 2)\n"
        "local good, e = coroutine.resume(co) assert(not good and e.code == 7 and closed == e)\n"
        "assert(coroutine.status(co) == 'dead' and not coroutine.close(co))\n"
        "assert(not pcall(coroutine.create, 1))\n"
        "assert(getmetatable(setmetatable({}, { __index = { a = 1 } })).__index.a == 1)");
}

static void what_is_refused(void **state)
{
    (void)state;
    run_badly("setmetatable({}, { __gc = function() while true do end end })",
              "__gc is not available in hooks");
    run_badly("collectgarbage('stop')", "invalid option 'stop'");
    run_badly("setmetatable(_G, {})", "protected metatable");
    run_badly("vm.name = 'other'", "the VM's fields cannot be set ('name')");
}

/* Where the name was written, and which was meant. */
static void misspelt_names_are_told(void **state)
{
    static const struct {
        const char *body;
        const char *text;
    } rows[] = {
        {"local x = vm.nam", "the VM: unknown field 'nam'; did you mean 'name'?"},
        {"banger.lg.info('x')", "site.lua:1: banger: unknown member 'lg'; did you mean 'log'?"},
        {"\n\nbangr.log.info('x')", "site.lua:3: unknown global 'bangr'; did you mean 'banger'?"},
        {"pritn('x')", "site.lua:1: unknown global 'pritn'; there is no 'print' here either: "
                       "banger.log.info writes to the log"},
        {"log.info('x')", "unknown global 'log'; did you mean 'banger.log'?"},
        {"local x = xyzzy", "site.lua:1: unknown global 'xyzzy' (traceback: "},
        {"count = 1 local x = cuont", "unknown global 'cuont'; did you mean 'count'?"},
        {"banger.guest.exce(vm, {'x'})",
         "site.lua:1: banger.guest: unknown member 'exce'; did you mean 'exec'?"},
        {"banger.log.inof('x')", "banger.log: unknown member 'inof'; did you mean 'info'?"},
        {"local x = ('x'):fromat()", "string: unknown member 'fromat'; did you mean 'format'?"},
        {"table.instert({}, 1)", "table: unknown member 'instert'; did you mean 'insert'?"},
        {"math.flor(1)", "math: unknown member 'flor'; did you mean 'floor'?"},
        {"os.tiem()", "os: unknown member 'tiem'; did you mean 'time'?"},
        {"coroutine.yeild()", "coroutine: unknown member 'yeild'; did you mean 'yield'?"},
        {"banger.resource.hold('a', 'b', nil, function(row) row:relase() end)",
         "row: unknown member 'relase'; did you mean 'release'?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_badly(rows[i].body, rows[i].text);
    }
    use("return { contributeMachineConfig = function(vm, machine) machine:fiel{} end }");
    call_badly("contributeMachineConfig", "machine: unknown member 'fiel'; did you mean 'file'?");
}

/* A script can ask, and add names of its own. */
static void names_may_be_asked_for_and_added(void **state)
{
    (void)state;
    run_well(
        "assert(rawget(_G, 'x') == nil and rawget(string, 'trim') == nil) x = 1 assert(x == 1)\n"
        "function string.trim(s) return s:match('^%s*(.-)%s*$') end\n"
        "assert((' a '):trim() == 'a' and ('a')[1] == nil and _G[1] == nil)\n"
        "local good, text = pcall(function() return nowhere end)\n"
        "assert(not good and text == \"site.lua:4: unknown global 'nowhere'\", text)\n"
        "x = nil assert(not pcall(function() return x end))");
}

/* Nothing of one hook is left for the next. */
static void every_hook_begins_anew(void **state)
{
    (void)state;
    use("count = (rawget(_G, 'count') or 0) + 1\n"
        "string.mark = (rawget(string, 'mark') or 0) + 1\n"
        "return { prepare = function() count = count + 1 assert(count == 2 and string.mark == 1) "
        "end }");
    call_well("prepare");
    call_well("prepare");
}

/* -- Ends ------------------------------------------------------------------------------------------ */

static void set_deadline(int ms)
{
    fake_host_set_deadline(fake, ms);
}

static void endless(const char *body)
{
    use_body(body);
    set_deadline(200);
    call_badly("prepare", "it did not end in its time");
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
    fake_host_set_deadline(fake, 10000);
}

static void endless_loops_end(void **state)
{
    (void)state;
    endless("while true do end");
    assert_non_null(strstr(fake_host_error(fake), "site.lua:1: "));
    endless("while true do pcall(function() while true do end end) end");
    endless("while true do pcall(string.rep, 'x', 100) end");
    endless("local function f() return f() end f()");
    /* Each of these takes as long as thousands of instructions. */
    endless("for i = 1, 2000 do _G[('%063d'):format(i)] = i end\n"
            "while true do pcall(function() return _G[('x'):rep(63)] end) end");
    endless("local co = coroutine.wrap(function() while true do coroutine.yield() end end)\n"
            "while true do co() end");
    endless("while true do coroutine.wrap(function() while true do end end)() end");
    endless("while true do pcall(coroutine.wrap(function() while true do end end)) end");
    /* Threads that make threads, none of which lives long enough to be counted. */
    endless("local function grow(n)\n"
            "  for i = 1, 1000 do\n"
            "    coroutine.resume(coroutine.create(function() if n > 0 then grow(n - 1) end\n"
            "      for j = 1, 4000 do end end))\n"
            "  end\n"
            "end\n"
            "grow(50)");
    endless("local t <close> = setmetatable({}, { __close = function() while true do end end })\n"
            "while true do end");
    /* The same in threads, which Lua closes after the error; also when the handler is added later. */
    endless("coroutine.wrap(function()\n"
            "  local x <close> = setmetatable({}, { __close = function() while true do end end })\n"
            "  while true do end end)()");
    endless("local meta = {}\n"
            "local co = coroutine.create(function()\n"
            "  local x <close> = setmetatable({}, { __close = function() while true do end end })\n"
            "  local y <close> = setmetatable({}, meta)\n"
            "  while true do end end)\n"
            "meta.__close = function() while true do end end\n"
            "coroutine.resume(co) coroutine.close(co) while true do end");
    endless("local meta = { __close = function() end }\n"
            "local co = coroutine.wrap(function()\n"
            "  local x <close> = setmetatable({}, meta)\n"
            "  meta.__close = function() while true do end end\n"
            "  pcall(function() while true do end end) while true do end end)\n"
            "co()");
    endless("local co = coroutine.create(function()\n"
            "  local x <close> = setmetatable({}, { __close = function() while true do end end })\n"
            "  coroutine.yield() end)\n"
            "coroutine.resume(co) coroutine.close(co)");
    endless("xpcall(function() while true do end end, function() while true do end end)\n"
            "while true do end");
    endless("table.sort({1, 2, 3, 4, 5}, function() while true do end end)");
    endless("error(setmetatable({}, { __tostring = function() while true do end end }))");
}

static void a_cancelled_operation_ends_its_hook(void **state)
{
    (void)state;
    use_body("while true do end");
    fake_host_cancel_after(fake, 1);
    call_badly("prepare", "it was cancelled");
    assert_int_equal(fake_host_code(fake), BANGER_ECANCELLED);
}

static void memory_is_bounded(void **state)
{
    static const char needs_more[] = "it needs more than 8 MiB of memory";
    static const struct {
        const char *body;
        const char *text;
    } rows[] = {
        {"local t = {} while true do t[#t + 1] = {} end", needs_more},
        {"local s = 'x' while true do s = s .. s end", needs_more},
        {"return ('x'):rep(1 << 30)", needs_more},
        {"local s = ('x'):rep(1 << 20) local t = {} for i = 1, 1000 do t[i] = s .. i end",
         needs_more},
        {"local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end", needs_more},
        {"local s = ('[1],'):rep(200000) local t = {} "
         "for i = 1, 1000 do t[i] = banger.json.decode('[' .. s .. '1]') end",
         needs_more},
        {"local t = {} pcall(function() while true do t[#t + 1] = {} end end) t = nil "
         "error('done')",
         "site.lua:1: done"}, /* caught, and there is room again */
        {"\nlocal t = {}\nwhile true do\n t[#t + 1] = {} end",
         "site.lua:4: it needs more than 8 MiB of memory"},
    };

    (void)state;
    fake_host_set(fake, "config.memory", json_integer(8 << 20));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_badly(rows[i].body, rows[i].text);
    }
    assert_int_equal(fake_host_code(fake), BANGER_EFULL);
    assert_non_null(strstr(fake_host_hint(fake), "plugins.lua.memory"));
}

/* What the host has not is not what the script may not have. */
static void a_host_without_memory_is_told(void **state)
{
    struct rlimit before;
    struct rlimit narrow;

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("skipped: a sanitizer takes memory of its own, and dies where it gets none\n");
    skip();
#endif
    fake_host_set(fake, "config.memory", json_integer(INT64_C(4) << 30));
    use_body("return ('x'):rep(1 << 30)");
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    narrow = before;
    narrow.rlim_cur = 1 << 29;
    assert_int_equal(setrlimit(RLIMIT_AS, &narrow), 0);
    call_badly("prepare", "site.lua:1: this host has no memory for it");
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

static void deep_recursion_is_an_error(void **state)
{
    (void)state;
    run_badly("local function f(n) return 1 + f(n + 1) end f(1)", "stack overflow");
    run_well("local function f(n) return 1 + f(n + 1) end\n"
             "local good, text = pcall(f, 1) assert(not good and text:find('stack overflow'))");
    run_badly("local s = ('('):rep(300) .. 'x' .. (')'):rep(300) string.find('x', s)", "too ");
    run_badly("local t = {} for i = 1, 100 do t = { t } end banger.json.encode(t)",
              "nested too deeply");
    run_badly("banger.json.decode(('['):rep(100000))", "it is not JSON");
}

/* -- Errors ---------------------------------------------------------------------------------------- */

static void errors_say_where(void **state)
{
    (void)state;
    use("local function fetch(vm)\n  local x = nil\n  return x.field\nend\n"
        "return { prepare = function(vm)\n  fetch(vm)\nend }");
    call_badly("prepare", "site.lua:3: attempt to index a nil value (local 'x')");
    assert_non_null(strstr(fake_host_error(fake), "(traceback: "));
    assert_non_null(strstr(fake_host_error(fake), "site.lua:3, "));
    assert_non_null(strstr(fake_host_error(fake), "site.lua:6)"));
    assert_int_equal(fake_host_code(fake), BANGER_EINTERNAL);
}

static void errors_of_every_type(void **state)
{
    (void)state;
    run_badly("error()", "it raised nil");
    run_badly("error({})", "it raised a table without a 'message'");
    run_badly("error(setmetatable({}, { __tostring = function() return 'as text' end }))",
              "as text");
    run_badly("error(setmetatable({}, { __tostring = function() error('again') end }))", "again");
    run_badly("error({ message = 'no vault', hint = 'start it' })", "no vault");
    assert_string_equal(fake_host_hint(fake), "start it");
    run_badly("error(true)", "it raised a boolean");
    run_badly("error(7.5)", "7.5");
    run_badly("error(function() end)", "it raised a function");
    run_badly("error('line\\none', 0)", "line\none"); /* the host makes one line of it */
    run_badly("error(('x'):rep(100000))", "xxx");
    run_badly("return false", "it returned false");
    run_badly("return nil, 'no vault'", "no vault");
    run_badly("return false, 'no vault'", "no vault");
    run_well("return nil");
    run_well("return true, 'all is well'");
    run_badly("banger.fail('no vault', 'start it')", "no vault");
    assert_string_equal(fake_host_error(fake), "no vault");
    assert_string_equal(fake_host_hint(fake), "start it");
    assert_int_equal(fake_host_code(fake), BANGER_EUNSUPPORTED);
    run_well("local good, e = pcall(banger.fail, 'no vault', 'start it')\n"
             "assert(not good and e.message == 'no vault' and e.hint == 'start it')\n"
             "assert(tostring(e) == 'no vault')");
}

/* -- Hostile files --------------------------------------------------------------------------------- */

static void use_fixture(const char *name)
{
    char path[256];
    char text[4096];
    FILE *file;
    size_t got;

    (void)snprintf(path, sizeof(path), "tests/fixtures/hostile/%s.lua", name);
    file = fopen(path, "re");
    if (file == NULL) {
        fail_msg("%s: run this in the top folder", path);
    }
    got = fread(text, 1, sizeof(text) - 1, file);
    text[got] = '\0';
    (void)fclose(file);
    write_script(name, text);
}

/* Those that no process has to be ended for; tests/integration/lua.bats has all of them. */
static void hostile_scripts_end(void **state)
{
    static const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"infinite-loop", "infinite-loop.lua:4: it did not end in its time"},
        {"deep-recursion", "stack overflow"},
        {"huge-string", "of memory"},
        {"allocation-loop", "of memory"},
        {"coroutine-loop", "it did not end in its time"},
        {"pcall-loop", "it did not end in its time"},
        {"finalizer-loop", "__gc is not available in hooks"},
        {"error-table", "it raised a table without a 'message'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        use_fixture(rows[i].name);
        choose(rows[i].name);
        set_deadline(strstr(rows[i].text, "time") != NULL ? 300 : 60000);
        call_badly("prepare", rows[i].text);
        fake_host_set_deadline(fake, 10000);
    }
    use_fixture("bytecode");
    assert_non_null(strstr(broken_by("bytecode"), "a script must be text"));
}

/* -- Threads --------------------------------------------------------------------------------------- */

static void *run_some(void *pointer)
{
    json_t *told = pointer;
    int failed = 0;

    for (int i = 0; i < 50; i++) {
        struct fake_host *own =
            fake_host_new("{\"vm\": {\"id\": \"" VM_ID "\", \"name\": \"web\"}}");

        fake_host_set(own, "host.config_dir", json_string(home.path));
        failed += fake_host_call(own, banger_plugin_v1()->expand) < 0;
        fake_host_set(own, "self.name", json_string("site"));
        fake_host_set(own, "self.state", json_deep_copy(json_object_get(told, "state")));
        failed += fake_host_call(own, banger_plugin_v1()->hooks->prepare) < 0;
        fake_host_free(own);
    }
    return failed == 0 ? NULL : pointer;
}

static void hooks_run_on_several_threads(void **state)
{
    pthread_t threads[4];
    json_t *told[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "return { prepare = function(vm) assert(vm.name == 'web' and %zu) end }", i);
        write_script("site", text);
        told[i] = json_deep_copy(expand("site"));
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_some, told[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
        json_decref(told[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_there),
        TEST(what_is_there),
        TEST(what_is_refused),
        TEST(misspelt_names_are_told),
        TEST(names_may_be_asked_for_and_added),
        TEST(every_hook_begins_anew),
        TEST(endless_loops_end),
        TEST(a_cancelled_operation_ends_its_hook),
        TEST(memory_is_bounded),
        TEST(a_host_without_memory_is_told),
        TEST(deep_recursion_is_an_error),
        TEST(errors_say_where),
        TEST(errors_of_every_type),
        TEST(hostile_scripts_end),
        TEST(hooks_run_on_several_threads),
    };

    return cmocka_run_group_tests_name("lua: sandbox", tests, NULL, NULL);
}
