-- Secrets that a command on this host fetches at each start, and that only the guest then has: they go from the
-- command's output through memory into the guest, and are never on this host's disk.
--
-- config.lua:
--   plugins = {
--     lua = { programs = { "/usr/bin/vault" } }, -- scripts may run this
--     secrets = {
--       entries = {
--         { label = "ci", path = "/run/secrets/token",
--           argv = { "/usr/bin/vault", "kv", "get", "-field=token", "secret/ci" } },
--       },
--     },
--   }
--
-- An entry is for the VMs with its label (`banger vm run --label secrets=ci ...`), or for all where it names none.
-- A `path` below /run lies in the guest's memory; elsewhere it is on the VM's own disk, which is a file of this host.

local function each_entry(vm, visit)
  for number, entry in ipairs(banger.config.entries) do
    if not entry.label or entry.label == vm.labels.secrets then
      visit(entry, number)
    end
  end
end

return {
  summary = "gives guests secrets that a command fetches",
  config = {
    entries = { type = "table", default = {}, help = "{ { argv = LIST, path = PATH, label = NAME, mode = MODE } }" },
  },

  check = function(vm)
    for number, entry in ipairs(banger.config.entries) do
      if type(entry.argv) ~= "table" or type(entry.path) ~= "string" then
        banger.fail(("entries[%d] needs an argv and a path"):format(number), "change plugins.secrets in config.lua")
      end
    end
  end,

  postStart = function(vm)
    each_entry(vm, function(entry, number)
      banger.progress(("secret %d of %d"):format(number, #banger.config.entries))
      local output = banger.host.run(entry.argv).stdout
      local secret = output:gsub("\n$", "") -- the end of the command's last line is not part of it
      banger.guest.write(vm, entry.path, secret, entry.mode or "0400")
    end)
  end,
}
