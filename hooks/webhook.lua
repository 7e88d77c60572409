-- Tells a chat, or whatever takes JSON by POST, of operations that failed.
--
-- config.lua:
--   plugins = { webhook = { url = "https://chat.example/hooks/..." } }
--
-- The hook that is called after a failure is cleanup. Telling of it must not make things worse: an error of the
-- webhook's is logged, and nothing more. In config.lua, on_error = "warn" does the same for whatever else may fail.

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
    local good, answer = pcall(banger.http.request, {
      url = banger.config.url,
      method = "POST",
      timeout = 5,
      json = {
        text = banger.config.text:format(banger.operation.name, vm.name, failure),
        vm = { id = vm.id, name = vm.name, labels = vm.labels },
      },
    })
    if not good or answer.status >= 300 then
      banger.log.warn("the webhook was not told: %s", good and answer.status or answer)
    end
  end,
}
