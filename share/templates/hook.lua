-- SPDX-License-Identifier: MIT-0
--
-- @NAME@: a hook of this site's. banger reads it before every operation on a VM: what is saved here
-- takes effect at the next start, and running guests are not touched.
--
--   banger hook check FILE    is it in order? runs no hook
--   banger hook test FILE     runs the hooks without a VM, and shows what they do
--   banger hook list          which there are, in their order
--
-- Keep the hooks that you need and delete the others: one that is not there costs nothing. A hook fails
-- by error("why"), and with it the operation, unless on_error = "warn" is configured.

return {
  summary = "a text of the site's in every guest",

  -- Its place among the others: after = { "hostname" }, before = { "nat?" }; "?": where there is such a one.

  -- What config.lua may set of it: plugins = { ["@NAME@"] = { text = "be nice" } }. Read as banger.config.text.
  config = {
    text = { type = "string", default = "hello from @NAME@", help = "what guests find in /etc/@NAME@" },
  },

  -- Can this work here? Before every start, and in `banger doctor`, where vm.name is nil. Changes nothing.
  check = function(vm)
    if banger.config.text == "" then
      error("there is no text to give to guests")
    end
  end,

  -- Takes on the host what the VM needs. What is held here is handed back in cleanup, even when the daemon
  -- was killed meanwhile: banger.resource.hold(kind, key, attrs, function() ... end).
  prepare = function(vm)
    banger.log.debug("%s is about to start", vm.name)
  end,

  -- What the machine needs: files, environment, kernel arguments, drives, NICs. Changes nothing:
  -- `banger vm plan NAME` asks without a start.
  contributeMachineConfig = function(vm, machine)
    machine:file({ path = "/etc/@NAME@", content = vm.name .. ": " .. banger.config.text .. "\n" })
    machine:environment("@ENV@", banger.config.text)
  end,

  -- The guest answers: run programs in it, write files into it.
  postStart = function(vm)
    local result = banger.guest.exec(vm, { "cat", "/etc/@NAME@" })
    banger.log.info("%s says: %s", vm.name, result.stdout)
  end,

  -- The run is over, or its start has failed (then banger.operation.error says why). Hand back what is held;
  -- it may be that nothing was prepared, and it may be called again.
  cleanup = function(vm)
    for row in banger.resource.rows() do
      row:release()
    end
  end,

  -- Settings of a running VM have changed (`banger vm set`): what changed is in `change`.
  configure = function(vm, change)
  end,

  -- The VM is about to be deleted: forget what was kept for it across runs.
  deleted = function(vm)
  end,

  -- The daemon has come back and found this VM running.
  reconciled = function(vm)
  end,
}
