-- Registers VMs with an inventory, and takes them out of it again: PUT and DELETE of URL/ID.
--
-- config.lua:
--   plugins = { inventory = { url = "https://inventory.example/vms", token = "..." } }
--
-- The entry is a resource like any other: it is in the journal before it is made, so that it is taken out even when
-- the daemon dies right after the request, and a VM cannot be deleted while its entry is still there.

local function request(method, id, body)
  return banger.http.request{
    url = ("%s/%s"):format(banger.config.url, id),
    method = method,
    json = body,
    headers = banger.config.token and { Authorization = "Bearer " .. banger.config.token },
    ca_file = banger.config.ca_file,
    timeout = 5,
  }
end

return {
  summary = "registers VMs with an inventory by HTTP",
  after = { "bridge?" },
  config = {
    url = { type = "string", default = "http://127.0.0.1:8080/vms", help = "where the inventory is" },
    token = { type = "string", help = "a bearer token" },
    ca_file = { type = "string", help = "a PEM file with the inventory's certificate authority" },
  },

  postStart = function(vm)
    banger.resource.hold("entry", vm.id, { name = vm.name }, function(row)
      local answer = request("PUT", vm.id, {
        name = vm.name,
        image = vm.image.name,
        address = banger.runtime.get("address", "bridge"), -- nil on other networks
        labels = vm.labels,
      })
      if answer.status >= 300 then
        banger.fail(("the inventory does not take %s: it says %d"):format(vm.name, answer.status))
      end
    end)
  end,

  cleanup = function(vm)
    for row in banger.resource.rows("entry") do
      local answer = request("DELETE", row.key)
      -- 404: it was never made, or is gone already.
      if answer.status >= 300 and answer.status ~= 404 then
        banger.fail(("the inventory keeps %s: it says %d"):format(row.attrs.name, answer.status))
      end
      row:release()
    end
  end,
}
