-- Tells a chat, or whatever takes JSON by POST, of operations that failed.
--
-- config.lua:
--   plugins = { webhook = { url = "https://chat.example/hooks/..." } }
--
-- The hook that is called after a failure is cleanup. Telling of it must not make things worse: an error of the
-- webhook's is logged, and nothing more. In config.lua, on_error = "warn" does the same for whatever else may fail.

local function tell(vm, failure)
  local answer = banger.http.request{
    url = banger.config.url,
    method = "POST",
    timeout = 5,
    json = {
      text = banger.config.text:format(banger.operation.name, vm.name, failure),
      vm = { id = vm.id, name = vm.name, labels = vm.labels },
    },
  }
  if answer.status >= 300 then
    error(answer.status, 0)
  end
end

return {
  summary = "tells a webhook of operations that failed",
  config = {
    url = { type = "string", help = "where the message is posted; none: nothing is told" },
    text = { type = "string", default = "%s of %s failed: %s", help = "with operation, VM and error" },
  },

  cleanup = function(vm)
    local failure = banger.operation.error
    if not failure or not banger.config.url then
      return
    end
    local good, why = pcall(tell, vm, failure)
    if not good then
      banger.log.warn("the webhook was not told: %s", why) -- no URL is in it: that may be secret
    end
  end,
}
