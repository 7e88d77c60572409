-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- The configuration of banger, with every key of the core at its default. Copy what you change to
--   /etc/banger/config.lua                root
--   ~/.config/banger/config.lua           a user ($XDG_CONFIG_HOME/banger)
--   $BANGER_HOME/config.lua               where BANGER_HOME is set
-- and restart the daemon: banger daemon stop (running VMs go on; the next command starts it again).
--
-- It is a Lua 5.4 chunk that returns one table. It may compute (string, table, math, utf8,
-- os.getenv); it can open nothing, run nothing, and is limited in time and memory. A key that is not
-- known is an error that names the nearest one.
--
-- Sizes:     bytes, or "64K", "512M", "2G", "1T" (powers of 1024).
-- Durations: whole seconds, or "250ms", "3s", "2m", "1h".

return {
  -- What bangerd logs: error, warn, info or debug.
  -- log_level = "info",

  -- A VM whose `create` or `run` does not say.
  vm = {
    -- vcpu = 2,            -- 1 to 32
    -- memory = "512M",     -- 64M to 1T
    -- disk = "2G",         -- 64M to 64T; sparse: it takes what the guest writes
    -- vmm = "auto",        -- auto, or the name of a provider (banger plugin list)
    -- rootfs = "auto",
    -- network = "auto",
  },

  -- Provided by the first VM that needs them: the image "tiny" or "debian" is built, the kernel is
  -- the Debian package of that name.
  -- default_image = "tiny",
  -- default_kernel = "linux-image-cloud-amd64",

  -- Deadlines.
  -- boot_timeout = "60s",  -- for a guest's agent to answer
  -- stop_timeout = "10s",  -- for a guest to end when asked; 0: it is not asked
  -- term_timeout = "5s",   -- for a VMM to end after SIGTERM, before SIGKILL
  -- hook_timeout = "10s",  -- for a hook of a plugin that has no timeout of its own

  -- How often running VMs are looked at for a disk that is full or has failed; 0: never.
  -- health_interval = "5s",

  -- Folders with plugins (*.so) beside the bundled ones: absolute paths, which only root and the
  -- daemon's user can write to.
  -- plugin_dirs = {},

  -- A group whose members may use the control socket beside its owner and root. They can then do
  -- what the owner can: choose it as you would docker's.
  -- socket_group = "banger",

  -- For each plugin how the core treats it, and its own keys (banger plugin show NAME).
  plugins = {
    -- ["boot-log"] = {
    --   enabled = true,      -- false: not loaded
    --   on_error = "abort",  -- what a failed hook means: "abort" the operation, or "warn"
    --   timeout = "10s",     -- for each of its hooks; not set: hook_timeout
    --   order = 10,          -- its place among plugins that after/before leave free
    --   isolate = true,      -- in processes of its own (the default outside the bundled folder)
    --   quiet = true,        -- one of its own keys
    -- },
  },
}
