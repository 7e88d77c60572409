#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks in Lua (lua/, share/doc/hooks.md) with a daemon: hostile ones, examples, and what they reach. VMs are the
# stub's, which run no guest; lua_guest.bats has one that does.

load common
load stub

setup_file() {
  stub_home "$BATS_FILE_TMPDIR/home"
  export BANGER_HOME
}

teardown_file() {
  banger daemon stop
}

setup() {
  rm -rf "$BANGER_HOME/hooks.d"
  mkdir "$BANGER_HOME/hooks.d"
  site
  banger vm create --name web --label stub=run
}

teardown() {
  explain_failure
  [ -z "${peer:-}" ] || kill "$peer"
  rm -rf "$BANGER_HOME/hooks.d"
  banger vm delete web
  assert_nothing_left
}

# site [LUA]: a daemon with that configuration of plugins.
site() {
  banger daemon stop
  configure "plugins = { $* }"
}

# hook NAME: its text is on stdin.
hook() {
  cat >"$BANGER_HOME/hooks.d/$1.lua"
}

hooks() { banger hook list --json | json "$1"; }

# ends_with NAME TEXT...: a start fails in time with one of these, and the next one goes through.
ends_with() {
  local name=$1 pattern
  shift
  pattern=$(printf '|%s' "$@")
  cp "$repo/tests/fixtures/hostile/$name.lua" "$BANGER_HOME/hooks.d/"
  run -1 banger vm start web
  rm "$BANGER_HOME/hooks.d/$name.lua"
  if ! grep -Eq "capability '$name'.*(${pattern#|})" <<<"$output"; then
    echo "$name: $output"
    return 1
  fi
  is "$(state_of web)" error
  banger vm start web
  banger vm stop web
  is "$(state_of web)" stopped
}

@test "lua: hostile scripts end in time, each with its reason, and the next start goes through" {
  local daemon before late='did not (end|finish) in (its )?time'
  common_config="hook_timeout = '1500ms', $common_config" site "lua = { memory = '16M' }"
  banger ps
  daemon=$(daemon_pid)
  before=$(holdings web)
  ends_with infinite-loop "$late" # the line too, unless this machine is too busy for the last moment
  ends_with pcall-loop "$late"
  ends_with coroutine-loop "$late"
  ends_with catastrophic-pattern "$late"
  ends_with empty-rep "$late"
  ends_with deep-recursion 'stack overflow' 'MiB of memory'
  ends_with huge-string 'MiB of memory'
  ends_with allocation-loop 'MiB of memory'
  ends_with finalizer-loop '__gc is not available'
  ends_with error-table "a table without a 'message'"
  ends_with bytecode 'a script must be text'
  is "$(daemon_pid)" "$daemon"
  holds_again "$before" holdings web
}

@test "lua: the VM is read, the machine is made, values and rows come back" {
  hook site <<'LUA'
return {
  summary = "ours",
  after = "hostname",
  config = { text = { type = "string", default = "hello" }, wait = { type = "duration", default = "2s" } },
  check = function(vm)
    if vm then assert(vm.labels.stub == "run") end
  end,
  prepare = function(vm)
    banger.runtime.set("seen", { name = vm.name })
    banger.resource.hold("mark", vm.id, nil, function(row) return { by = banger.self.name } end)
    banger.events.emit("prepared", { operation = banger.operation.name })
  end,
  contributeMachineConfig = function(vm, machine)
    machine:boot_arg("site=" .. vm.short_id)
    machine:file{ path = "/etc/motd", content = banger.config.text .. " " .. vm.name, mode = "0600" }
    machine:host("vault", "10.0.0.7")
    machine:environment("SITE", "ours")
    machine:limit("memory.high", 1 << 30)
    assert(banger.config.wait == 2000)
  end,
  cleanup = function(vm)
    for row in banger.resource.rows() do
      assert(row.attrs.by == "site" and row.state == "held")
      row:release()
    end
  end,
}
LUA
  run -0 banger vm plan web --json
  is "$(echo "$output" | json '[f for f in data["machine"]["guest"]["files"] if f["path"] == "/etc/motd"][0]["content"]')" "hello web"
  is "$(echo "$output" | json '(data["machine"]["guest"]["conf"]["host"], "SITE=ours" in data["machine"]["guest"]["conf"]["env"])')" "(['10.0.0.7 vault'], True)"
  is "$(echo "$output" | json 'any(a.startswith("site=") for a in data["machine"]["boot_args"])')" True
  banger vm start web
  event site.prepared web '"operation": *"start"'
  is "$(database "SELECT owner, kind, state FROM resources WHERE kind = 'mark'")" "site mark held"
  banger vm stop web
  is "$(hooks '[(h["name"], h["state"], h["failures"]) for h in data]')" "[('site', 'ok', 0)]"
}

@test "lua: an error says where it came up, to the user who ran the command" {
  hook site <<'LUA'
local function register(vm)
  local answer
  return answer.status
end

return {
  prepare = function(vm)
    register(vm)
  end,
}
LUA
  run -1 banger vm start web
  has "capability 'site': prepare: site.lua:3: attempt to index a nil value (local 'answer')"
  has "(traceback: register at site.lua:3, site.lua:8)"
  hook site <<<'return { prepare = function(vm) banger.runtime.set("no blanks", 1) end }'
  run -1 banger vm start web
  has "site.lua:1: banger.runtime.set: set_json: invalid key 'no blanks'"
  hook site <<<'return { check = function() banger.fail("no vault", "start it") end }'
  run -1 banger vm start web
  has "capability 'site': check: no vault"
  has "hint: start it"
  run -1 banger doctor
  has "no vault"
  hook site <<<'return { prepar = 1 }'
  run -1 banger vm start web
  has "site.lua: unknown key 'prepar'; did you mean 'prepare'?"
  run -0 banger hook list
  has "site is broken"
}

@test "lua: what hangs while it is loaded is in the way, and goes when it is mended" {
  common_config="hook_timeout = '1s', $common_config" site
  hook site <<<'(""):rep(1 << 62) return {}'
  run -1 banger vm start web
  has "capability 'lua': expand: it did not finish in time"
  has "hint: it was loading $BANGER_HOME/hooks.d/site.lua"
  hook site <<<'return {}'
  run -0 banger vm start web
}

@test "lua: files that others may write, and two of one name, are refused" {
  hook site <<<'return {}'
  chmod 666 "$BANGER_HOME/hooks.d/site.lua"
  run -1 banger vm start web
  has "be writable by nobody else"
  chmod 644 "$BANGER_HOME/hooks.d/site.lua"
  chmod 777 "$BANGER_HOME/hooks.d"
  run -1 banger vm start web
  has "$BANGER_HOME/hooks.d must belong to root"
  chmod 755 "$BANGER_HOME/hooks.d"
  mkdir -p "$BATS_TEST_TMPDIR/more"
  echo 'return {}' >"$BATS_TEST_TMPDIR/more/site.lua"
  site "lua = { dirs = { '$BATS_TEST_TMPDIR/more' } }"
  run -1 banger vm start web
  has "a capability of that name is there already, from $BANGER_HOME/hooks.d/site.lua"
  rm "$BANGER_HOME/hooks.d/site.lua"
  run -0 banger vm start web
}

# http_peer: a server that notes "METHOD PATH" in $seen, and answers 200.
http_peer() {
  seen=$BATS_TEST_TMPDIR/seen
  : >"$seen"
  python3 -c '
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(sys.argv[1], "a") as seen: print(self.command, self.path, body.decode(), file=seen)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    do_POST = do_DELETE = do_PUT
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()' "$seen" >"$BATS_TEST_TMPDIR/port" 3>&- &
  peer=$!
  says "$BATS_TEST_TMPDIR/port" '[0-9]'
  url=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
}

@test "lua: the examples inventory and webhook, over a daemon that is killed" {
  local id daemon
  http_peer
  cp "$repo"/hooks/{inventory,webhook}.lua "$BANGER_HOME/hooks.d/"
  site "inventory = { url = '$url/vms' }, webhook = { url = '$url/hook' }"
  id=$(banger vm show web --json | json 'data["id"]')
  banger vm start web
  grep -q "^PUT /vms/$id {.*\"name\":\"web\"" "$seen"
  daemon=$(daemon_pid)
  kill -KILL "$daemon"
  ended "$daemon"
  banger vm stop web
  grep -q "^DELETE /vms/$id" "$seen"
  run ! grep -q "^POST" "$seen"
  hook fails <<<'return { after = "inventory", postStart = function() error("no luck") end }'
  run -1 banger vm start web
  is "$(grep -c "^DELETE" "$seen")" 2
  grep -q "^POST /hook {.*start of web failed: .*no luck" "$seen"
}

rates() { banger vm plan web --json | json 'data["machine"].get("rate_limits")'; }

@test "lua: the example limits goes by a VM's label" {
  cp "$repo/hooks/limits.lua" "$BANGER_HOME/hooks.d/"
  site "limits = { classes = { bronze = { disk = { ops_per_s = 500 }, network = { bytes_per_s = 1000 } }, gold = {} }, default = 'bronze' }"
  is "$(rates)" "{'drive.rootfs': {'ops_per_s': 500}}" # it has no network
  run -0 banger vm start web
  banger vm stop web
  banger vm set web --label class=gold
  is "$(rates)" None
  banger vm set web --label class=silver
  run -1 banger vm start web
  has "there is no class 'silver'"
  has "see plugins.limits.classes in config.lua"
}

# inventory_groups: what the example ansible has written of `web`.
inventory_groups() {
  json '{group: sorted(data[group]["hosts"]) for group in sorted(data)}' <"$BATS_TEST_TMPDIR/inventory/web.json"
}

@test "lua: the example ansible follows a VM's labels" {
  unshare --net true 2>/dev/null || skip "network namespaces need root here"
  [ -c /dev/net/tun ] || skip "there are no TAP devices here"
  mkdir -m 755 "$BATS_TEST_TMPDIR/inventory"
  cp "$repo/hooks/ansible.lua" "$BANGER_HOME/hooks.d/"
  site "lua = { write_dirs = { '$BATS_TEST_TMPDIR/inventory' } }, ansible = { folder = '$BATS_TEST_TMPDIR/inventory' }"
  unshare --net banger ps # the bridge is in the daemon's network namespace, and goes with it
  banger vm delete web
  banger vm create --name web --label stub=run --network bridge
  run -0 banger vm start web
  is "$(json 'data["banger"]["hosts"]["web"]["ansible_host"]' <"$BATS_TEST_TMPDIR/inventory/web.json")" 172.16.0.2
  is "$(inventory_groups)" "{'banger': ['web'], 'stub_run': ['web']}"
  banger vm set web --label tier=lab.1
  is "$(inventory_groups)" "{'banger': ['web'], 'stub_run': ['web'], 'tier_lab_1': ['web']}"
  banger vm set web --label tier=prod --no-label stub
  is "$(inventory_groups)" "{'banger': ['web'], 'tier_prod': ['web']}"
  hook fails <<<'return { after = "ansible", configure = function() error("no luck") end }'
  run -1 banger vm set web --label tier=lost
  is "$(inventory_groups)" "{'banger': ['web'], 'tier_prod': ['web']}"
  banger vm stop web
  is "$(ls "$BATS_TEST_TMPDIR/inventory")" ""
  banger daemon stop
}

@test "lua: in the daemon itself, where the site says so" {
  hook site <<<'return { prepare = function(vm) assert(banger.self.name == "site") end }'
  cp "$repo/tests/fixtures/hostile/infinite-loop.lua" "$BANGER_HOME/hooks.d/"
  site "lua = { isolate = false }, ['infinite-loop'] = { timeout = '1s', on_error = 'warn' }"
  run -0 banger vm start web
  grep -Eq "infinite-loop.*did not (end|finish) in" <<<"$output"
  is "$(banger plugin show lua --json | json 'data["isolated"]')" False
  is "$(hooks '[(h["name"], h["failures"]) for h in data]')" "[('infinite-loop', 1), ('site', 0)]"
}
