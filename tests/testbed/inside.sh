# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash
# The testbed's PID 1: a host as a distribution leaves it, but for udevd; then the command. When that ends,
# so does every process, and the line MARKER STATUS closes what was printed: machine.py waits for it.
for applet in mount mkdir cat ip hostname kill stty setsid poweroff; do
  # shellcheck disable=SC2139
  alias "$applet=/run/busybox $applet"
done
here=/run/testbed

mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm /dev/net
mount -t devpts -o ptmxmode=666,mode=620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
hostname testbed
ip link set lo up

# shellcheck source=/dev/null
. $here/environment
cd "$(cat $here/directory)" || cd /

# The kernel gives ports numbers; their names are in sysfs, since no udevd makes links.
port_named() {
  for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name")" != "$1" ] || { name=${name%/name}; echo "/dev/${name##*/}"; }
  done
}

# Not `kill -1`: the copier has to live until it has copied all.
kill_others() {
  for process in /proc/[0-9]*; do
    case ${process#/proc/} in 1 | "$1") ;; *) kill -9 "${process#/proc/}" 2>/dev/null ;; esac
  done
}

# A port can be opened once, and scripts open /dev/stderr: so they get a pipe.
run_command() {
  port=$(port_named output)
  mkfifo /run/testbed/output
  cat </run/testbed/output >"$port" &
  copier=$!
  bash $here/command </dev/null >/run/testbed/output 2>&1
  status=$?
  kill_others $copier
  wait $copier
  echo "$(cat $here/marker) $status" >"$port"
  while :; do wait; /run/busybox sleep 60; done # machine.py ends the machine when it has all
}

run_shell() {
  # shellcheck disable=SC2046
  stty $(cat $here/terminal) </dev/hvc0
  setsid -c bash -l </dev/hvc0 >/dev/hvc0 2>&1
  poweroff -f
}

if [ -e $here/command ]; then run_command; else run_shell; fi
