-- Disk and network rates by a VM's label: `banger vm run --label class=bronze ...`.
--
-- config.lua:
--   plugins = {
--     limits = {
--       classes = {
--         bronze = { disk = { bytes_per_s = 20000000, ops_per_s = 500 }, network = { bytes_per_s = 1000000 } },
--         gold = {},
--       },
--       default = "bronze", -- for VMs without the label; none: they are not limited
--     },
--   }

-- What the providers of disks and networks call the devices.
local devices = { disk = "drive.rootfs", network = "nic.eth0" }

local function class_of(vm)
  local name = vm.labels.class or banger.config.default
  if not name then
    return {}
  end
  local class = banger.config.classes[name]
  if not class then
    banger.fail(("there is no class '%s'"):format(name), "see plugins.limits.classes in config.lua")
  end
  return class
end

return {
  summary = "limits disks and networks by the label class",
  config = {
    classes = { type = "table", default = {}, help = "{ NAME = { disk = LIMITS, network = LIMITS } }" },
    default = { type = "string", help = "the class of VMs without the label" },
  },

  check = function(vm)
    if vm then
      class_of(vm)
    end
  end,

  contributeMachineConfig = function(vm, machine)
    local class = class_of(vm)
    for what, device in pairs(devices) do
      -- A VM may have no network.
      if class[what] and not (what == "network" and vm.network == "none") then
        machine:rate_limit(device, class[what])
      end
    end
  end,
}
