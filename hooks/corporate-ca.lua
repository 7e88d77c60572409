-- A certificate authority of the site's in every guest's trust store, so that TLS to its servers works there.
--
-- config.lua:
--   plugins = {
--     lua = { read_dirs = { "/etc/ssl/corporate" } }, -- guests may get files of this folder
--     ["corporate-ca"] = { certificate = "/etc/ssl/corporate/ca.pem" },
--   }
--
-- Guests of the Debian and the Red Hat families; another one gets the file, and a line in the daemon's log.

-- Where a guest looks for certificates of its site, and what then makes its bundle.
local families = {
  { folder = "/usr/local/share/ca-certificates", program = "/usr/sbin/update-ca-certificates" },
  { folder = "/etc/pki/ca-trust/source/anchors", program = "/usr/bin/update-ca-trust" },
}

return {
  summary = "puts the site's certificate authority into guests",
  config = {
    certificate = { type = "string", help = "a PEM file on this host" },
    name = { type = "string", default = "corporate-ca", help = "what it is called in the guest" },
  },

  check = function(vm)
    if not banger.config.certificate then
      banger.fail("no certificate is configured", 'set plugins["corporate-ca"].certificate in config.lua')
    end
  end,

  -- The file is put there before the guest's own init runs. Debian wants it to end in .crt.
  contributeMachineConfig = function(vm, machine)
    for _, family in ipairs(families) do
      machine:file{
        path = ("%s/%s.crt"):format(family.folder, banger.config.name),
        source = banger.config.certificate,
        mode = "0644",
      }
    end
    -- Node has a trust store of its own, to which this adds.
    machine:environment("NODE_EXTRA_CA_CERTS", ("%s/%s.crt"):format(families[1].folder, banger.config.name))
  end,

  postStart = function(vm)
    for _, family in ipairs(families) do
      if banger.guest.exec(vm, { "test", "-x", family.program }, { check = false }).status == 0 then
        banger.guest.exec(vm, { family.program })
        return
      end
    end
    banger.log.warn("%s has no trust store that is known here; the certificate is in %s", vm.name, families[1].folder)
  end,
}
