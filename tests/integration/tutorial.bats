#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tutorial's transcripts, as a user who has banger installed and nothing else would run them: with guests.

load common

setup() {
  place=$(mktemp -d /tmp/banger-tutorial.XXXXXX) # where every user can go, unlike the suite's folder
  chmod 755 "$place"
  mkdir -p "$place/me/.cache"
  if [ -d "$BATS_SUITE_TMPDIR/home/cache" ]; then # the downloaded package, not its import
    cp -a "$BATS_SUITE_TMPDIR/home/cache" "$place/me/.cache/banger"
  fi
  cp "$BATS_TEST_DIRNAME/tutorial.py" "$repo/share/doc/tutorial.md" "$place"
  make -s -C "$repo" BUILD="$BANGER_BUILD" PREFIX="$place/usr" install
  chown -R 65534:65534 "$place/me"
}

teardown() {
  as_a_user banger daemon stop || true
  [ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 40 "$place/me/stderr" "$place/me/.local/state/banger/bangerd.log" || true
  rm -rf "$place"
}

# as_a_user COMMAND...: one without any right, and with nothing of ours in the environment.
as_a_user() {
  local who=()
  [ "$(id -u)" -ne 0 ] || who=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  "${who[@]}" env -i -C "$place/me" HOME="$place/me" PATH="$place/usr/bin:/usr/local/bin:/usr/bin:/bin" \
    PKG_CONFIG_PATH="$place/usr/lib/pkgconfig" "$@"
}

@test "tutorial: its commands do what it says, up to what guests see" {
  as_a_user python3 "$place/tutorial.py" "$place/tutorial.md"
}
