#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks in Lua and a real guest: what it is given, what is run in it, and a secret that only it has.

load common

setup() {
  own_home
  mkdir "$BANGER_HOME/hooks.d"
}

teardown() {
  explain_failure
  banger vm delete web 2>/dev/null || true
  assert_nothing_left
  banger daemon stop 2>/dev/null || true
}

@test "lua: a hook configures the guest, works in it, and brings a secret that is never on this host's disk" {
  local secret="this is only in the guest's memory, $RANDOM$RANDOM"
  base64 <<<"$secret" >"$BANGER_HOME/encoded"
  cp "$repo/hooks/secrets.lua" "$BANGER_HOME/hooks.d/"
  cat >"$BANGER_HOME/hooks.d/site.lua" <<'LUA'
return {
  after = "hostname",
  contributeMachineConfig = function(vm, machine)
    machine:file{ path = "/etc/motd", content = "hello " .. vm.name .. "\n", mode = "0640" }
    machine:host("vault", "10.0.0.7")
    machine:environment("SITE", "ours")
  end,
  postStart = function(vm)
    local done = banger.guest.exec(vm, { "sh", "-c", "echo $SITE $MORE; cat; exit 3" },
      { stdin = "in", env = { MORE = "and more" }, check = false })
    banger.guest.write(vm, "/run/site/seen", ("%d %s"):format(done.status, done.stdout))
    local good, text = pcall(banger.guest.exec, vm, { "false" })
    assert(not good and text:find("false ended with status 1"))
  end,
}
LUA
  configure "plugins = { lua = { programs = { '/usr/bin/base64' } }, secrets = { entries = { { label = 'ci', \
path = '/run/secrets/token', argv = { '/usr/bin/base64', '-d', '$BANGER_HOME/encoded' } } } } }"
  banger vm run -d --name web --label secrets=ci
  is "$(banger vm exec web -- cat /run/secrets/token)" "$secret"
  is "$(banger vm exec web -- stat -c '%a %u' /run/secrets/token)" "400 0"
  is "$(banger vm exec web -- cat /etc/motd)" "hello web"
  is "$(banger vm exec web -- sh -c 'grep vault /etc/hosts; grep -c 127.0.1.1 /etc/hosts; echo $SITE')" "10.0.0.7 vault
1
ours"
  is "$(banger vm exec web -- cat /run/site/seen)" "3 ours and more
in"
  run ! grep -rqaF "$secret" "$BANGER_HOME"
  # Changed while it runs: the guest is not touched, the next start is.
  sed -i 's/hello/good day,/' "$BANGER_HOME/hooks.d/site.lua"
  is "$(banger vm exec web -- cat /etc/motd)" "hello web"
  banger vm restart web
  is "$(banger vm exec web -- cat /etc/motd)" "good day, web"
  run ! grep -rqaF "$secret" "$BANGER_HOME"
}
