---@meta
-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- The library of banger's hooks, for people and for editors: with the Lua language server
-- (https://luals.github.io) a hook completes and is checked when its folder has a .luarc.json like
--
--     { "workspace.library": ["/usr/local/share/banger/library.lua"], "runtime.version": "Lua 5.4" }
--
-- Nothing here is executed: `banger` is there in every hook. share/doc/hooks.md tells how it all fits together.
--
-- "Pure" are check and contributeMachineConfig: they are asked without anything being done, by `banger vm plan`
-- and `banger doctor`. A function that has effects raises an error there, and none but log and json can be used
-- while the script is being loaded. Every function raises an error when it fails.
--
-- Reading a global or a member that is not there is an error, which names the nearest one that is. A script that wants to
-- know asks rawget(_G, "name"), or rawget(string, "name").

---@class banger.Script What a script returns.
---@field name? string as the file is called, without .lua; it can be left out
---@field version? string
---@field summary? string one line for `banger plugin list`
---@field license? string
---@field after? string|string[] names of capabilities that come first; "nat?": where it is loaded
---@field before? string|string[] names of capabilities that come later
---@field config? table<string, banger.Key> keys that config.lua may set in plugins.NAME
---@field check? fun(vm: banger.VM?): any can this work here? Pure; vm is nil in `banger doctor`
---@field prepare? fun(vm: banger.VM): any take what the VM needs on the host
---@field contributeMachineConfig? fun(vm: banger.VM, machine: banger.Machine): any say what the machine needs; pure
---@field postStart? fun(vm: banger.VM): any the guest's agent answers
---@field cleanup? fun(vm: banger.VM): any hand everything back; also after a failed start, and before every one
---@field configure? fun(vm: banger.VM, change: table<string, any>): any `banger vm set` on a running VM; vm is as before, `change` has the new values, of labels all
---@field deleted? fun(vm: banger.VM): any the VM's record is about to go
---@field reconciled? fun(vm: banger.VM): any the daemon has come back and found the VM running

---@class banger.Key A declared key.
---@field type "string"|"int"|"bool"|"size"|"duration"|"list"|"table"
---@field default? any without one the key may have no value
---@field help? string one line
---@field minimum? integer bytes for a size, milliseconds for a duration
---@field maximum? integer

---@class banger.VM The VM; its fields are asked of the host when one is first named, and cannot be set.
---@field id string 32 hex digits
---@field short_id string the first 8 of them
---@field name string
---@field state "created"|"running"|"stopped"|"error"
---@field dir string its folder, kept until it is deleted
---@field run_dir string the folder of this run
---@field vcpu integer
---@field memory_mib integer
---@field disk_mib integer
---@field vmm string the provider that runs it
---@field rootfs string
---@field network string
---@field nat boolean? nil where its user said nothing
---@field publish string[] "[IP:]HOST:GUEST[/tcp|/udp]"
---@field labels table<string, string>
---@field boot_args string[]
---@field env string[] "NAME=VALUE"
---@field ephemeral boolean? it goes with the command that made it
---@field image { id: string, name: string, path: string, digest: string, size_bytes: integer }
---@field kernel { id: string, name: string, path: string, version: string, initramfs: string? }
local vm = {}

---@class banger.Machine The machine that is being composed, in contributeMachineConfig.
local machine = {}

---One or more arguments of the guest's kernel.
---@param ... string
function machine:boot_arg(...) end

---A key of guest.conf (share/doc/guest.md); those that may be given more than once take a list.
---@param key string
---@param value string|number|string[]
function machine:conf(key, value) end

---One more disk, of a file that lies below one of plugins.lua.read_dirs or write_dirs, or beside the script. The guest has the root first, then the others as they were contributed.
---@param drive { id: string, path: string, read_only: boolean?, format: "raw"? }
function machine:drive(drive) end

---An environment variable of every program that is executed in the guest.
---@param name string
---@param value string
function machine:environment(name, value) end

---A file in the guest, of root's unless said. `mode` is a text of octal digits, "0644" unless said.
---`source` is a file of the host's, which lies where a drive's may.
---@param file { path: string, content: string?, source: string?, mode: string?, uid: integer?, gid: integer? }
function machine:file(file) end

---A line of the guest's /etc/hosts.
---@param name string
---@param address string
function machine:host(name, address) end

---A file of cgroup v2 and its value, for the VMM's process: ("memory.max", 2^30).
---@param file string
---@param value string|integer
function machine:limit(file, value) end

---One more NIC.
---@param nic { id: string, backend: "user"|"tap", mac: string?, tap: string?, forward: string[]?, restrict: boolean? }
function machine:nic(nic) end

---At most so much a second through a drive or a NIC: ("drive.rootfs", { bytes_per_s = 50000000 }).
---@param device string "drive.ID" or "nic.ID"
---@param limits { bytes_per_s: integer?, ops_per_s: integer?, packets_per_s: integer? }
function machine:rate_limit(device, limits) end

---@class banger.Row A row of the journal: something that this script holds for the VM.
---@field id integer
---@field kind string
---@field key string
---@field attrs table
---@field state "intent"|"held" an intent may or may not stand for something real: look
local row = {}

---It is handed back, or was never there: the row goes. Has effects.
function row:release() end

---@class banger.Result What a program has done.
---@field status integer
---@field stdout string at most 1 MiB; bytes that are no UTF-8 become "?"
---@field stderr string

---@class banger
---@field config table<string, any> the values of the declared keys: sizes in bytes, durations in milliseconds
---@field operation { name: string, error: string? } "start", "stop", ...; `error` in the cleanup after a failure
---@field self { name: string, origin: string } this script
banger = {}

---Fails the hook with this text and no traceback: for what is the user's business, not the script's.
---@param message string
---@param hint? string what can be done about it
function banger.fail(message, hint) end

---One of the host operations of share/doc/plugins.md. In pure hooks only those that ask. An empty table within `args`
---is a list: ("publish.set", { bridge = b, address = a, ports = {} }) takes all ports back.
---@param name string
---@param args? table
---@return table
function banger.host_op(name, args) end

---One short line for the user who waits.
---@param text string
function banger.progress(text) end

banger.events = {}

---An event SCRIPT.name for `banger events`. Has effects.
---@param name string lower-case letters, digits, "_", ".", "-"
---@param data? table
function banger.events.emit(name, data) end

---The guest, in postStart and configure.
banger.guest = {}

---Runs a program in the guest, as root unless `user` says otherwise, without a shell. A status other than 0 is an
---error unless `check` is false. `timeout` is in seconds, at most what the hook has left. Has effects.
---@param vm banger.VM
---@param argv string[]
---@param options? { stdin: string?, env: table<string, string>?, cwd: string?, user: string?, timeout: number?, check: boolean? }
---@return banger.Result
function banger.guest.exec(vm, argv, options) end

---Writes a file in the guest, which is root's; folders above it are made. The text is never on the host's disk.
---Has effects.
---@param vm banger.VM
---@param path string
---@param text string UTF-8
---@param mode? string octal digits, "0600" unless said
function banger.guest.write(vm, path, text, mode) end

---The host, as far as config.lua lets scripts touch it.
banger.host = {}

---Removes a file below one of plugins.lua.write_dirs; whether there was one. Has effects.
---@param path string
---@return boolean
function banger.host.remove(path) end

---Runs a program that plugins.lua.programs names, without a shell, to its end. A status other than 0 is an error
---unless `check` is false. To ask, not to change: it is allowed in pure hooks.
---@param argv { [integer]: string, check: boolean? } { "/usr/bin/vault", "kv", "get", "x" }
---@return banger.Result
function banger.host.run(argv) end

---Writes a file below one of plugins.lua.write_dirs, at once or not at all. Its folder must be there. Has effects.
---@param path string
---@param text string
---@param mode? string octal digits, "0644" unless said
function banger.host.write(path, text, mode) end

banger.http = {}

---One request by http or https; a POST where it has a body, else a GET, unless `method` says another, in capital
---letters. At most 5 redirects are followed, of a GET or HEAD without `headers`; any other is the answer. `timeout`
---is in seconds, 30 unless said, at most what the hook has left. `socket` is the path of a unix socket to connect to
---instead of the URL's host, one of plugins.lua.sockets. An answer of any status is a success. Errors name the URL's
---host and nothing else of it. Has effects, except for GET and HEAD.
---@param request { url: string, method: string?, headers: table<string, string>?, body: string?, json: any, timeout: number?, socket: string?, ca_file: string? }
---@return { status: integer, headers: table<string, string>, body: string } names of headers are in lower case; a body has at most 4 MiB
function banger.http.request(request) end

banger.json = {}

---@param text string at most 1 MiB
---@return any
function banger.json.decode(text) end

---@param value any
---@param empty_is_list? boolean {} is an object unless said; what banger.json.list made is a list anyway
---@return string
function banger.json.encode(value, empty_is_list) end

---A new, empty table that is a list wherever it becomes JSON, also when nothing is put into it.
---@return any[]
function banger.json.list() end

---What stands for null in a list; in an object it is nil.
---@return any
function banger.json.null() end

---Lines of the daemon's log. With more than one argument the first is a format of string.format's.
banger.log = {}

---@param text any
---@param ... any
function banger.log.debug(text, ...) end

---@param text any
---@param ... any
function banger.log.error(text, ...) end

---@param text any
---@param ... any
function banger.log.info(text, ...) end

---@param text any
---@param ... any
function banger.log.warn(text, ...) end

---What this script holds for the VM, in a journal that outlives the daemon.
banger.resource = {}

---Writes down what is about to be taken, calls `acquire`, which takes it, and writes that it is held. When acquire
---returns a table, it becomes the row's attributes. When it fails, the row stays an intent for cleanup. Has effects.
---@param kind string
---@param key string
---@param attrs table? what cleanup has to know
---@param acquire fun(row: banger.Row): table?
---@return banger.Row
function banger.resource.hold(kind, key, attrs, acquire) end

---The rows of this script and VM, newest first: for row in banger.resource.rows() do ... row:release() end
---@param kind? string only those
---@return fun(): banger.Row?
function banger.resource.rows(kind) end

---Values for this run of the VM, forgotten after its cleanup.
banger.runtime = {}

---@param key string
---@param whose? string another capability or provider: ("address", "bridge")
---@return any
function banger.runtime.get(key, whose) end

---Has effects.
---@param key string letters, digits, "_", "-"
---@param value any
function banger.runtime.set(key, value) end

return { banger = banger, machine = machine, row = row, vm = vm }
