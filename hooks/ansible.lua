-- An inventory of the running VMs for Ansible: a folder with a file for each, as `ansible -i FOLDER all -m ping` takes
-- it. Only VMs with an address of their own are in it: those of the network `bridge`.
--
-- config.lua:
--   plugins = {
--     lua = { write_dirs = { "/var/lib/ansible/banger" } }, -- scripts may write here; make it, mode 0755
--     ansible = { folder = "/var/lib/ansible/banger" },
--   }
--
-- ssh finds the VM's keys by `banger ssh-config --install`.

local function file_of(vm)
  return ("%s/%s.json"):format(banger.config.folder, vm.name)
end

-- JSON is YAML, and Ansible reads files in a folder by their endings.
local function inventory_of(vm, labels, address)
  local variables = { ansible_host = address, ansible_user = banger.config.user, banger_id = vm.id }
  local host = { [vm.name] = variables }
  local inventory = { banger = { hosts = host } }
  for key, value in pairs(labels) do
    local group = ("%s_%s"):format(key, value):gsub("[^%w_]", "_") -- what a group's name may have
    inventory[group] = { hosts = { [vm.name] = {} } }
  end
  return banger.json.encode(inventory)
end

local function write(vm, labels)
  local address = banger.runtime.get("address", "bridge")
  if address then
    banger.host.write(file_of(vm), inventory_of(vm, labels, address))
  end
end

return {
  summary = "keeps an inventory of running VMs for Ansible",
  after = { "bridge?" },
  config = {
    folder = { type = "string", default = "/var/lib/ansible/banger", help = "one of plugins.lua.write_dirs, or below" },
    user = { type = "string", default = "root", help = "as whom Ansible logs in" },
  },

  postStart = function(vm)
    banger.resource.hold("file", file_of(vm), nil, function()
      write(vm, vm.labels)
    end)
  end,

  -- A label may have been changed: vm.labels are those of before, change.labels all of after.
  configure = function(vm, change)
    write(vm, change.labels or vm.labels)
  end,

  -- Somebody may have emptied the folder, or a change has failed and is taken back.
  reconciled = function(vm)
    write(vm, vm.labels)
  end,

  cleanup = function(vm)
    for row in banger.resource.rows("file") do
      banger.host.remove(row.key)
      row:release()
    end
  end,
}
