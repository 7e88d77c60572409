/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What scripts can do, each function as a script would use it. */
#include "library.h"
#include "lua_fixture.h"

#include <dirent.h>

static char shown[4096];

static const char *as_text(const json_t *json)
{
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

    (void)snprintf(shown, sizeof(shown), "%s", text != NULL ? text : "NULL");
    free(text);
    return shown;
}

/* -- Values ---------------------------------------------------------------------------------------- */

static void the_vm_is_read_when_it_is_named(void **state)
{
    (void)state;
    run_well("assert(vm.id == '" VM_ID "' and vm.name == 'web' and vm.memory_mib == 256)\n"
             "assert(vm.labels.role == 'front' and vm.labels.other == nil)\n"
             "assert(vm.image.name == 'tiny' and next(vm.kernel) == nil)\n"
             "assert(vm.nat == nil and next(vm.publish) == nil and tostring(vm) == 'web')\n"
             "local seen = {} for name in pairs(vm) do seen[name] = true end\n"
             "assert(seen.name and seen.labels and not seen.nat)");
}

static void values_of_the_call(void **state)
{
    (void)state;
    fake_host_set(fake, "config.url", json_string("http://x"));
    fake_host_set(fake, "operation.name", json_string("start"));
    run_well("assert(banger.config.url == 'http://x' and banger.config.other == nil)\n"
             "assert(banger.operation.name == 'start' and banger.operation.error == nil)\n"
             "assert(banger.self.name == 'site')");
    fake_host_set(fake, "change", json_pack("{s:i}", "memory_mib", 512));
    use("return { configure = function(vm, change) assert(change.memory_mib == 512) end }");
    call_well("configure");
}

static void check_has_no_vm_in_doctor(void **state)
{
    (void)state;
    use("return { check = function(vm) assert(vm == nil) banger.progress('all is well') end }");
    call_badly("check", "assertion failed");
    fake_host_set(fake, "vm", json_object());
    call_well("check");
    assert_string_equal(as_text(fake_host_progress(fake)), "[\"all is well\"]");
}

static void json_both_ways(void **state)
{
    (void)state;
    run_well(
        "local j = banger.json\n"
        "assert(j.encode({ a = { 1, 2.5, 'x', true } }) == '{\"a\":[1,2.5,\"x\",true]}')\n"
        "assert(j.encode({}) == '{}' and j.encode({}, true) == '[]' and j.encode('x') == '\"x\"')\n"
        "local l = j.list() assert(j.encode({ a = l, b = {} }):find('\"a\":%[%]'))\n"
        "assert(not getmetatable(l)) l[1] = 'x' assert(#l == 1 and j.encode(l) == '[\"x\"]')\n"
        "assert(j.encode(j.list()) == '[]' and j.encode(setmetatable({}, {})) == '{}')\n"
        "assert(j.encode({ 1, j.null(), 2 }) == '[1,null,2]')\n"
        "local t = j.decode('{\"a\": [1, null, 2], \"b\": null, \"c\": {\"d\": 1.5}}')\n"
        "assert(#t.a == 3 and t.a[2] == j.null() and t.b == nil and t.c.d == 1.5)\n"
        "local good, text = pcall(j.decode, '{')\n"
        "assert(not good and text:find('it is not JSON'))\n"
        "local loop = {} loop.loop = loop\n"
        "good, text = pcall(j.encode, loop) assert(not good and text:find('contains itself'))\n"
        "good, text = pcall(j.encode, { f = function() end }) assert(text:find('f: a value "
        "must'))\n"
        "good, text = pcall(j.encode, { a = { b = 0 / 0 } }) assert(text:find('a.b: a number'))\n"
        "good, text = pcall(j.encode, '\\xff') assert(text:find('a string must be UTF.8'))\n"
        "good, text = pcall(j.encode, 'a\\0b') assert(text:find('a string must be UTF.8'))\n"
        "good, text = pcall(j.encode, { ['\\xff'] = 1 }) assert(text:find('a name must be "
        "UTF.8'))\n"
        "good, text = pcall(j.encode, { ['a\\0b'] = 1 }) assert(text:find('a name must be "
        "UTF.8'))\n"
        "local s = ('x'):rep(1 << 20) local many = {} for i = 1, 17 do many[i] = s end\n"
        "good, text = pcall(j.encode, many) assert(text:find('it has too many bytes'))\n"
        "many = {} for i = 1, 17 do many[i] = { [s] = 1 } end\n"
        "good, text = pcall(j.encode, many) assert(text:find('it has too many bytes'))\n"
        "good, text = pcall(j.encode, { 1, 2, x = 3 }) assert(not good)");
}

static void lines_of_the_log(void **state)
{
    (void)state;
    run_well("banger.log.info('plain %d') banger.log.warn('%s has %d', vm.name, 3)\n"
             "banger.log.error(nil) banger.log.debug(vm)");
    assert_string_equal(as_text(fake_host_log(fake)),
                        "[\"plain %d\",\"web has 3\",\"nil\",\"web\"]");
}

static void runtime_values_and_events(void **state)
{
    (void)state;
    fake_host_set(fake, "runtime.bridge.address", json_string("172.16.0.2"));
    run_well("banger.runtime.set('begun', { at = 7 }) assert(banger.runtime.get('begun').at == 7)\n"
             "assert(banger.runtime.get('address', 'bridge') == '172.16.0.2')\n"
             "assert(banger.runtime.get('none') == nil)\n"
             "banger.events.emit('registered', { id = 7 }) banger.events.emit('bare')");
    assert_string_equal(
        as_text(fake_host_events(fake)),
        "[{\"data\":{\"id\":7},\"name\":\"registered\"},{\"data\":{},\"name\":\"bare\"}]");
}

/* -- The machine ----------------------------------------------------------------------------------- */

static void contributions(void **state)
{
    (void)state;
    fake_host_set(fake, "config.read_dirs", json_pack("[s]", "/srv"));
    use("return { contributeMachineConfig = function(vm, machine)\n"
        "  machine:drive{ id = 'data', path = '/srv/data.img', read_only = true }\n"
        "  machine:nic{ id = 'second', backend = 'user' }\n"
        "  machine:boot_arg('quiet', 'panic=1')\n"
        "  machine:rate_limit('drive.root', { bytes_per_s = 1000000 })\n"
        "  machine:limit('memory.max', 1 << 30)\n"
        "  local file = { path = '/etc/motd', content = 'hello', mode = '0640' }\n"
        "  machine:file(file) assert(file.mode == '0640')\n"
        "  machine:host('vault', '10.0.0.7')\n"
        "  machine:environment('HTTP_PROXY', 'http://proxy:3128')\n"
        "  machine:conf('init', 'agent')\n"
        "end }");
    call_well("contributeMachineConfig");
    assert_string_equal(
        as_text(fake_host_contributions(fake)),
        "{\"boot_args\":[\"quiet\",\"panic=1\"],"
        "\"drives\":[{\"id\":\"data\",\"path\":\"/srv/data.img\",\"read_only\":true}],"
        "\"guest.conf\":[{\"host\":[\"10.0.0.7 "
        "vault\"]},{\"env\":[\"HTTP_PROXY=http://proxy:3128\"]},"
        "{\"init\":\"agent\"}],"
        "\"guest.files\":[{\"content\":\"hello\",\"mode\":416,\"path\":\"/etc/motd\"}],"
        "\"limits\":[{\"memory.max\":1073741824}],"
        "\"nics\":[{\"backend\":\"user\",\"id\":\"second\"}],"
        "\"rate_limits\":[{\"drive.root\":{\"bytes_per_s\":1000000}}]}");
    use("return { contributeMachineConfig = function(vm, machine)\n"
        "  machine:file{ path = '/etc/motd', content = 'hello', mode = 644 } end }");
    call_badly("contributeMachineConfig",
               "site.lua:2: machine:file: 'mode' must be a text of octal");
    use("return { contributeMachineConfig = function(vm, machine) machine:drives{} end }");
    call_badly("contributeMachineConfig",
               "machine: unknown member 'drives'; did you mean 'drive'?");
}

/* A guest gets no file of the host's that the site has not named for it. */
static void files_of_the_host_for_guests(void **state)
{
    static const struct {
        const char *path;
        const char *text; /* NULL: it is allowed */
    } rows[] = {
        {"/srv/a/b", NULL}, /* "~": the home */
        {"/srv/out/b", NULL},
        {"~/hooks.d/data/b", NULL}, /* beside the script */
        {"~/hooks.d/b", NULL},
        {"/etc/shadow", "/etc/shadow is not below a folder of plugins.lua.read_dirs in config.lua"},
        {"~/config.lua", "is not below a folder of plugins.lua.read_dirs"},
        {"~/hooks.data", "is not below a folder of plugins.lua.read_dirs"},
        {"/srv/ab", "is not below a folder"},
        {"/srv/a", "is not below a folder"},
        {"/srv/a/../b", "must be an absolute path, without '.', '..'"},
        {"srv/a/b", "must be an absolute path"},
    };

    (void)state;
    fake_host_set(fake, "config.read_dirs", json_pack("[s]", "/srv/a"));
    fake_host_set(fake, "config.write_dirs", json_pack("[s]", "/srv/out"));
    use("return { check = function() end, contributeMachineConfig = function(vm, machine)\n"
        "  if banger.config.drive then machine:drive{ id = 'x', path = banger.config.path }\n"
        "  else machine:file{ path = '/x', source = banger.config.path } end end }");
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        char path[2048];

        bool own = rows[i / 2].path[0] == '~';

        (void)snprintf(path, sizeof(path), "%s%s", own ? home.path : "", rows[i / 2].path + own);
        fake_host_set(fake, "config.path", json_string(path));
        fake_host_set(fake, "config.drive", json_boolean(i % 2));
        if (rows[i / 2].text == NULL) {
            call_well("contributeMachineConfig");
        } else {
            call_badly("contributeMachineConfig", rows[i / 2].text);
            assert_non_null(
                strstr(fake_host_error(fake), i % 2 ? "machine:drive" : "machine:file"));
        }
    }
}

/* What may change nothing does not: the host says so, and so does what is done here. */
static void pure_hooks_have_no_effects(void **state)
{
    static const char *const calls[] = {
        "banger.runtime.set('a', 1)",
        "banger.events.emit('a')",
        "banger.resource.hold('a', 'b', nil, function() end)",
        "banger.guest.exec(vm, { 'true' })",
        "banger.guest.write(vm, '/a', 'b')",
        "banger.host.write('/tmp/a', 'b')",
        "banger.host.remove('/tmp/a')",
        "banger.http.request{ url = 'http://127.0.0.1:1/', method = 'POST' }",
        "banger.http.request{ url = 'http://127.0.0.1:1/', body = '' }",
        "banger.http.request{ url = 'http://127.0.0.1:1/', json = {} }",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        (void)snprintf(
            text, sizeof(text),
            "return { check = function(vm) %s end, contributeMachineConfig = function(vm) %s end }",
            calls[i], calls[i]);
        use(text);
        call_badly("check", "is not allowed in check, which must change nothing");
        call_badly("contributeMachineConfig", "is not allowed in contributeMachineConfig");
    }
}

/* -- The guest ------------------------------------------------------------------------------------- */

static json_t *answer_as_guest(const json_t *request)
{
    const char *program = json_string_value(json_array_get(json_object_get(request, "argv"), 0));

    if (strcmp(program, "false") == 0) {
        return json_pack("{s:i, s:s, s:s}", "status", 3, "stdout", "", "stderr",
                         "first\nno luck\n");
    }
    return json_pack("{s:i, s:s, s:s}", "status", 0, "stdout", "out", "stderr", "");
}

static void programs_in_the_guest(void **state)
{
    (void)state;
    fake_host_set_guest(fake, answer_as_guest);
    use("return { postStart = function(vm)\n"
        "  local options = { env = { A = 'b' }, user = 'nobody', timeout = 1.5, stdin = 'x', cwd = "
        "'/' }\n"
        "  local done = banger.guest.exec(vm, { 'echo', 'a b' }, options)\n"
        "  assert(done.status == 0 and done.stdout == 'out' and options.timeout == 1.5)\n"
        "  assert(banger.guest.exec(vm, { 'false' }, { check = false }).status == 3)\n"
        "  banger.guest.exec(vm, { 'false' })\n"
        "end }");
    call_badly("postStart",
               "site.lua:6: banger.guest.exec: false ended with status 3: no luck (traceback");
    assert_string_equal(
        as_text(json_array_get(fake_host_execs(fake), 0)),
        "{\"argv\":[\"echo\",\"a b\"],\"cwd\":\"/\",\"env\":{\"A\":\"b\"},\"stdin\":\"x\","
        "\"timeout_ms\":1500,\"user\":\"nobody\"}");
    run_badly("banger.guest.exec({}, { 'true' })", "its first argument must be the hook's vm");
    run_badly("banger.guest.exec(vm, { 'true' }, { usr = 'x' })", "did you mean 'user'?");
    run_badly("banger.guest.exec(vm, { 'true' }, { timeout = math.huge })",
              "must be a number of seconds");
    run_badly("banger.guest.exec(vm, { 'true' }, { timeout = 0 / 0 })",
              "must be a number of seconds");
    run_badly("banger.guest.exec(vm, { 'true' }, { timeout = -1 })", "must be a number of seconds");
    run_badly("banger.guest.exec(vm, { 'true' }, { timeout = 'x' })",
              "must be a number of seconds");
    fake_host_set_guest(fake, NULL);
    run_badly("banger.guest.exec(vm, { 'true' })",
              "site.lua:1: banger.guest.exec: there is no guest behind this host");
    assert_int_equal(fake_host_code(fake), BANGER_EGUEST);
}

static void texts_into_the_guest(void **state)
{
    (void)state;
    run_well("banger.guest.write(vm, '/etc/token', 's3cret', '0400')\n"
             "banger.guest.write(vm, '/etc/other', '')");
    assert_string_equal(as_text(fake_host_copies(fake)),
                        "[{\"content\":\"s3cret\",\"mode\":256,\"path\":\"/etc/token\"},"
                        "{\"content\":\"\",\"path\":\"/etc/other\"}]");
    fake_host_fail_copies(fake);
    run_badly("banger.guest.write(vm, '/a', 'b')", "banger.guest.write: the copy failed");
    run_well("local good, text = pcall(banger.guest.write, vm, '/a', 'b')\n"
             "assert(not good and text:find('the copy failed'))");
}

/* -- The journal ----------------------------------------------------------------------------------- */

static void what_is_held_comes_back(void **state)
{
    (void)state;
    run_well("local row = banger.resource.hold('lease', vm.id, { pool = 'a' }, function(row)\n"
             "  assert(row.state == 'intent' and row.key == vm.id and row.attrs.pool == 'a')\n"
             "  return { pool = 'a', number = 7 }\n"
             "end)\n"
             "assert(row.state == 'held' and row.attrs.number == 7)\n"
             "banger.resource.hold('name', 'web', nil, function() end)");
    assert_string_equal(
        as_text(fake_host_resources(fake)),
        "[{\"attrs\":{},\"id\":2,\"key\":\"web\",\"kind\":\"name\",\"state\":\"held\"},"
        "{\"attrs\":{\"number\":7,\"pool\":\"a\"},\"id\":1,\"key\":\"" VM_ID
        "\",\"kind\":\"lease\",\"state\":\"held\"}]");
    use("return { cleanup = function(vm)\n"
        "  for row in banger.resource.rows('lease') do assert(row.attrs.number == 7) row:release() "
        "end\n"
        "  local left = 0 for row in banger.resource.rows() do left = left + 1 end assert(left == "
        "1)\n"
        "end }");
    call_well("cleanup");
    assert_int_equal(json_array_size(fake_host_resources(fake)), 1);
}

static void what_failed_stays_intended(void **state)
{
    (void)state;
    run_badly("banger.resource.hold('lease', 'a', nil, function() error('no answer') end)",
              "no answer");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(fake_host_resources(fake), 0), "state")),
        "intent");
    run_badly("banger.resource.hold('lease', 'a', { f = function() end }, "
              "function() end)",
              "the attributes: f: ");
    assert_int_equal(json_array_size(fake_host_resources(fake)), 1);
}

/* -- The host -------------------------------------------------------------------------------------- */

static void only_allowed_programs_run(void **state)
{
    (void)state;
    fake_host_set(fake, "config.programs", json_pack("[s, s]", "/bin/echo", "/bin/sh"));
    run_well("local run = banger.host.run\n"
             "assert(run{ '/bin/echo', 'a b', 7 }.stdout == 'a b 7\\n')\n"
             "assert(run{ '/bin/sh', '-c', 'exit 3', check = false }.status == 3)");
    run_badly("banger.host.run{ '/bin/sh', '-c', 'echo no luck >&2; exit 3' }",
              "banger.host.run: /bin/sh ended with status 3: no luck");
    run_badly("banger.host.run{ '/bin/true' }", "/bin/true is not allowed");
    run_badly("banger.host.run{ 'echo' }", "echo is not allowed");
    run_badly("banger.host.run{}", "the program first");
    use("return { check = function() assert(banger.host.run{ '/bin/echo' }.status == 0) end }");
    call_well("check"); /* to ask is allowed */
}

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;

    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(folder);
    return count;
}

static void only_allowed_places_are_written(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "out"), 0755), 0);
    assert_int_equal(mkdir(temp_dir_at(&home, "out/below"), 0755), 0);
    assert_int_equal(symlink("/etc", temp_dir_at(&home, "out/link")), 0);
    fake_host_set(fake, "config.write_dirs", json_pack("[s]", temp_dir_at(&home, "out")));
    fake_host_set(fake, "config.home", json_string(home.path));
    run_well("local out = banger.config.home .. '/out/'\n"
             "banger.host.write(out .. 'a', 'one') banger.host.write(out .. 'a', 'two', '0600')\n"
             "banger.host.write(out .. 'below/b', 'three')\n"
             "assert(banger.host.remove(out .. 'below/b') and not banger.host.remove(out .. 'c'))");
    assert_string_equal(temp_dir_read(&home, "out/a"), "two");
    assert_false(temp_dir_has(&home, "out/below/b"));
    run_badly("banger.host.write('/etc/passwd', 'x')",
              "is not below a folder of plugins.lua.write_dirs");
    run_badly("banger.host.write(banger.config.home .. '/outside', 'x')", "is not below a folder");
    run_badly("banger.host.write(banger.config.home .. '/out/../x', 'x')", "without '.', '..'");
    run_badly("banger.host.write(banger.config.home .. '/out/link/x', 'x')", "symbolic links");
    run_badly("banger.host.write(banger.config.home .. '/out/none/x', 'x')", "No such file");
    run_badly("banger.host.write(banger.config.home .. '/out/below', 'x')", "s a directory");
    run_badly("banger.host.remove(banger.config.home .. '/out/below')", "s a directory");
    run_badly("banger.host.write(banger.config.home .. '/out/' .. ('a/'):rep(3000) .. 'x', 'y')",
              "File name too long");
    assert_int_equal(count_entries(temp_dir_at(&home, "out")),
                     3); /* nothing half written is left */
}

static json_t *answer_as_operator(const char *name, const json_t *args)
{
    const json_t *ports = json_object_get(args, "ports");

    if (strcmp(name, "publish.set") == 0) {
        return json_pack("{s:b, s:i}", "list", (int)json_is_array(ports), "count",
                         (int)json_array_size(ports));
    }
    return strcmp(name, "nat.check") == 0 ? json_pack("{s:O}", "asked", args) : NULL;
}

static void operations_of_the_host(void **state)
{
    (void)state;
    fake_host_set_operator(fake, answer_as_operator);
    run_well("assert(banger.host_op('nat.check', { uplink = 'auto' }).asked.uplink == 'auto')\n"
             "assert(next(banger.host_op('nat.check').asked) == nil)");
    run_well("for count, ports in pairs{ [0] = {}, [1] = { { proto = 'tcp' } } } do\n"
             "  local answer = banger.host_op('publish.set', { bridge = 'b', ports = ports })\n"
             "  assert(answer.list and answer.count == count)\n"
             "end");
    run_badly("banger.host_op('nat.check', 'uplink')", "table expected, got string");
    run_badly("banger.host_op('nat.on', {})", "nat.on: nat.on fails");
    assert_int_equal(fake_host_code(fake), BANGER_EBUSY);
}

/* -- library.lua ----------------------------------------------------------------------------------- */

/* Every function of the group is in the table on the top, and there are no others. */
static void same_functions(lua_State *lua, const struct library_group *group)
{
    size_t count = 0;
    size_t declared = 0;

    for (; group->functions[count].name != NULL; count++) {
        if (lua_getfield(lua, -1, group->functions[count].name) != LUA_TFUNCTION) {
            fail_msg("library.lua does not declare %s.%s", group->name,
                     group->functions[count].name);
        }
        lua_pop(lua, 1);
    }
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        declared += lua_isfunction(lua, -1);
        lua_pop(lua, 1);
    }
    if (declared != count) {
        fail_msg("library.lua declares %zu functions of %s; there are %zu", declared, group->name,
                 count);
    }
}

static void functions_are_declared(void **state)
{
    lua_State *lua = luaL_newstate();

    (void)state;
    if (luaL_dofile(lua, "lua/library.lua") != LUA_OK) {
        fail_msg("%s", lua_tostring(lua, -1));
    }
    (void)lua_getfield(lua, -1, "machine");
    same_functions(lua, &library_machine);
    (void)lua_getfield(lua, -2, "row");
    same_functions(lua, &library_row);
    (void)lua_getfield(lua, -3, "banger");
    same_functions(lua, &library_banger);
    for (size_t i = 0; library_groups[i] != NULL; i++) {
        if (lua_getfield(lua, -1, library_groups[i]->name) != LUA_TTABLE) {
            fail_msg("library.lua does not declare banger.%s", library_groups[i]->name);
        }
        same_functions(lua, library_groups[i]);
        lua_pop(lua, 1);
    }
    lua_close(lua);
}

/* The names of a class's fields, each between blanks. */
static void read_fields(const char *class, char *names, size_t size)
{
    char line[512];
    FILE *file = fopen("lua/library.lua", "re");
    bool inside = false;

    names[0] = '\0';
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char name[64];

        if (strncmp(line, "---@class ", 10) == 0) {
            inside = strncmp(line + 10, class, strlen(class)) == 0 &&
                     strchr(" \n", line[10 + strlen(class)]) != NULL;
        } else if (inside && sscanf(line, "---@field %63[a-zA-Z_]", name) == 1) {
            (void)snprintf(names + strlen(names), size - strlen(names), " %s", name);
        }
    }
    (void)fclose(file);
}

static void same_fields(const char *class, const char *const *fields)
{
    char names[1024];
    char expected[1024] = "";

    read_fields(class, names, sizeof(names));
    for (; *fields != NULL; fields++) {
        (void)snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), " %s",
                       *fields);
    }
    assert_string_equal(names, expected);
}

static void fields_are_declared(void **state)
{
    (void)state;
    same_fields("banger.VM", library_vm_fields);
    same_fields("banger", library_values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_vm_is_read_when_it_is_named),
        TEST(values_of_the_call),
        TEST(check_has_no_vm_in_doctor),
        TEST(json_both_ways),
        TEST(lines_of_the_log),
        TEST(runtime_values_and_events),
        TEST(contributions),
        TEST(files_of_the_host_for_guests),
        TEST(pure_hooks_have_no_effects),
        TEST(programs_in_the_guest),
        TEST(texts_into_the_guest),
        TEST(what_is_held_comes_back),
        TEST(what_failed_stays_intended),
        TEST(only_allowed_programs_run),
        TEST(only_allowed_places_are_written),
        TEST(operations_of_the_host),
        TEST(functions_are_declared),
        TEST(fields_are_declared),
    };

    return cmocka_run_group_tests_name("lua: library", tests, NULL, NULL);
}
