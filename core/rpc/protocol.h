/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON-RPC 2.0 over the control socket, one message a line (no newline inside), at most
 * RPC_MESSAGE_MAX bytes to the server and RPC_REPLY_MAX to the client. Up to RPC_REQUESTS_MAX
 * requests of one connection run at the same time; responses come in any order. Requests that
 * change a VM and name it alike are carried out in the order in which they came, one at a time.
 *
 * Errors: {"code": -32000 - CODE, "message", "data": {"code": CODE, "name": "not-found", "hint"}}
 * with enum banger_code; -32700, -32600, -32601, -32602 as JSON-RPC 2.0 section 5.1 has them.
 *
 * Notifications to the client while its request runs ("id" is the request's):
 *   progress {"id","stage","state":"start|done|failed|info","text","elapsed_ms"}
 *   warning  {"id","text"}
 *   event    {"id","event":{...}}            after events.subscribe
 *   record   {"id","entry":{...}}            of a start that records: one a hook, capability/record.h
 * Notifications from the client:
 *   cancel   {"id"}                          ask a running request to end; its response still comes
 *
 * A closed connection cancels its running requests and ends its leases (vm.run with rm).
 * A response that passes a descriptor carries it (SCM_RIGHTS) with the response's first byte, and
 * says "fd": true in its result.
 *
 * Methods, parameters, results ("vm" is a name, id or id prefix; VM, IMAGE, KERNEL are the objects
 * below; ? optional):
 *   daemon.status                          {version,pid,uptime_ms,home,socket,vms:{total,running},jobs}
 *                                          jobs: requests, this one too, and the daemon's own work
 *                                          that wait or run
 *   daemon.stop                            {}        running VMs go on
 *   vm.create  SPEC                        VM        makes the record only
 *   vm.run     SPEC + {rm?,record?}        VM        create and start; with rm, deleted when this
 *                                                    connection closes; a failed or cancelled start
 *                                                    deletes it again when rm is set
 *   vm.start   {vm,record?}                VM        on a running VM: success, nothing changes
 *   vm.stop    {vm,timeout_ms?}            VM
 *   vm.kill    {vm,signal?}                VM        "TERM", "SIGKILL", "9"; default TERM
 *   vm.restart {vm,timeout_ms?,record?}    VM
 *   vm.pause   {vm}                        VM        its processors stand still; the state stays running
 *   vm.resume  {vm}                        VM
 *   vm.delete  {vm}                        VM
 *   vm.set     {vm, CHANGES of SPEC}       VM
 *   vm.list    {all?,brief?}               [VM]      all: not only running ones; brief: only what
 *                                                    a table shows
 *   vm.show    {vm}                        VM
 *   vm.plan    {vm}                        {machine,contributions,providers}
 *   vm.exec    {vm,argv,env?,user?,cwd?,tty?,stdin?,rows?,columns?}   {fd}   guest/session.h
 *   vm.tar     {vm,direction:"in"|"out",path}   {fd}
 *   vm.connect {vm,port}                   {fd}      a TCP connection to the guest's loopback, as a
 *                                                    stream of guest/session.h
 *   vm.stats   {vm}                        the agent's SERVICE_STATS, with the VMM's rss_bytes and
 *                                          cpu_ms
 *   vm.ports   {vm}                        {listeners:[...],published:[...]}
 *   vm.log     {vm,which:"console"|"vmm"}  {fd,path}
 *   vm.prune   {}                          [VM]      deletes every VM that is not running
 *   ops.list   {vm?,limit?}                [operation] as store/oplog.h
 *   events.subscribe {after?,follow?}      {}        past events as notifications, then the answer;
 *                                                    with follow it comes when cancelled
 *   image.list {}                          [IMAGE]
 *   image.show {image}                     IMAGE
 *   image.delete {image}                   IMAGE
 *   image.build {kind:"tiny"|"debian",name?}         IMAGE
 *   image.register {path,name?}            IMAGE
 *   kernel.list {}                         [KERNEL]
 *   kernel.show {kernel}                   KERNEL
 *   kernel.delete {kernel}                 KERNEL
 *   kernel.import {deb?|deb_file?|vmlinuz?,modules?,name?}   KERNEL
 *   network.list {}                        [{name,summary,works,text,vms:[{name,address}]}]
 *   network.remove {network}               {}        what it has on the host for all VMs
 *   plugin.list {}                         [PLUGIN]  in resolved order
 *   plugin.show {plugin}                   PLUGIN with its configuration table: config:[{name,type,
 *                                          default,help,value}], after:[..], before:[..]
 *   plugin.enable {plugin}                 PLUGIN    one that was disabled for its failures
 *   hook.list {}                           [PLUGIN]  those that a plugin carries: scripts
 *   ssh.show {}                            {key,known_hosts,config}   paths: the private key that
 *                                          guests let in, the hosts' keys, the client's configuration
 *   doctor {}                              {checks:[{name,status:"pass"|"warn"|"fail",text,hint?}],
 *                                          providers:{vmm,rootfs,network}}
 *
 * SPEC (all optional): name image kernel vcpu memory_mib disk_mib vmm rootfs network nat:bool
 *   publish:["[IP:]HOST:GUEST[/udp]"] labels:{K:V} boot_args:[..] env:["K=V"]
 * VM: {id,short_id,name,state,busy?,paused?,image:{id,name},kernel:{id,name},spec:SPEC,
 *   providers:{vmm,rootfs,network}?,pid?,addresses:[..],dir,last_error?,created,started?,uptime_ms?}
 * PLUGIN: {name,order,version,summary,license,origin,carrier?,state:"ok"|"broken"|
 *   "disabled"|"stuck",
 *   broken:{message,hint?}?,provides:[..],hooks:{HOOK:COUNTS},COUNTS of all its hooks,on_error,timeout_ms,
 *   disable_after, *   isolated:bool,processes?,ended_badly?}
 * COUNTS: calls failures mean_ns p50_ns p99_ns max_ns, since the daemon's start; the percentiles are known to
 *   within a sixteenth
 * Times are RFC 3339 in UTC with milliseconds.
 */
#ifndef RPC_PROTOCOL_H
#define RPC_PROTOCOL_H

#define RPC_MESSAGE_MAX (1024 * 1024)   /* to the server */
#define RPC_REPLY_MAX (4 * 1024 * 1024) /* to the client: vm.list of thousands fits */
#define RPC_REQUESTS_MAX 64             /* running at a time on one connection */
#define RPC_ERROR_BASE (-32000)         /* JSON-RPC 2.0: -32000 to -32099 are the server's own */

#endif
