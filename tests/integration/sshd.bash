# SPDX-License-Identifier: LGPL-2.1-or-later
# This machine's sshd for guests whose image has none.

# make_server DIR: sshd with its libraries and configuration, as a tree for a guest's root.
make_server() {
  local file
  for file in /usr/sbin/sshd $(ldd /usr/sbin/sshd | grep -o '/[^ )]*'); do
    install -D "$(realpath "$file")" "$1$file"
  done
  install -d "$1/etc/ssh" "$1/run/sshd" "$1/run/empty"
  cat >"$1/etc/ssh/sshd_config" <<'CONFIG'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
CONFIG
}

# serve_ssh VM: gives it the server and a host key that no other VM has, and starts it.
serve_ssh() {
  local tree=$BATS_FILE_TMPDIR/server
  rm -f "$tree"/etc/ssh/ssh_host_*
  ssh-keygen -q -t ed25519 -N '' -f "$tree/etc/ssh/ssh_host_ed25519_key"
  banger vm cp "$tree/." "$1:/"
  banger vm exec "$1" -- sh -c 'echo "sshd:x:74:74::/run/sshd:/bin/false" >>/etc/passwd
    chmod 755 / /run/sshd
    /usr/sbin/sshd -f /etc/ssh/sshd_config || exit # it stays in front when it is what the agent started
    exit 0' </dev/null
}
