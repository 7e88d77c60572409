#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The folders' arrows: every #include must point down the list of core folders, or sideways into its
# own folder. Prints each include that does not, and fails.
#   arrows.sh [DIR]   DIR: the top of the tree (default: this one)
set -eu
cd "${1:-$(dirname "$0")/../..}"

files=$(find core plugins lua include/banger -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
[ -n "$files" ] || { echo "arrows.sh: no C files below $PWD" >&2; exit 2; }

# shellcheck disable=SC2086  # a list of names without blanks
awk '
BEGIN {
  # From the ground up. Two names in one row are neighbours that must not see each other.
  rows = split("base kit|host|store|config|capability|image|guest|lifecycle|rpc|daemon cli isolate", row, "|")
  for (i = 1; i <= rows; i++) {
    names = split(row[i], name, " ")
    for (j = 1; j <= names; j++) level[name[j]] = i
  }
  # The agent is a program of its own, for guests: it uses no other folder, and what it shares with
  # the host are these headers, for these folders.
  shared["agent/frame.h"] = " guest lifecycle daemon "
  shared["agent/guest_conf.h"] = " image lifecycle "
}

function report(why) {
  printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
  bad++
}

# The file behind an #include of FILENAME, without "." and "..", from the top of the tree.
function resolve(target,    parts, count, i, path, depth, kept) {
  path = FILENAME
  sub("[^/]*$", "", path)
  count = split(path target, parts, "/")
  depth = 0
  for (i = 1; i <= count; i++) {
    if (parts[i] == "..") depth--
    else if (parts[i] != "." && parts[i] != "") kept[++depth] = parts[i]
  }
  path = ""
  for (i = 1; i <= depth; i++) path = path (i > 1 ? "/" : "") kept[i]
  return path
}

function exists(path,    line, result) {
  result = (getline line < path) >= 0
  close(path)
  return result
}

function check_core(target,    from, to, part) {
  split(FILENAME, part, "/")
  from = part[2]
  if (!(from in level) && from != "agent") {
    report("core/" from " has no place in the order of folders")
    return
  }
  if (exists(resolve(target))) target = substr(resolve(target), length("core/") + 1)
  if (index(resolve("x"), "core/") != 1 || target !~ "/") {
    report("no such file in core/")
    return
  }
  split(target, part, "/")
  to = part[1]
  if (to == from) return
  if (from == "agent") report("the agent uses no other folder")
  else if (to == "agent") {
    if (index(shared[target], " " from " ") == 0) report("not shared with core/" from)
  } else if (!(to in level)) report("no such folder in core/")
  else if (level[to] >= level[from]) report("core/" from " is not above core/" to)
}

# Of the tree, a plugin sees its own folder, plugins/common and, as <banger/...>, include/.
function check_plugin(target,    path, part) {
  path = resolve(target)
  split(FILENAME, part, "/")
  if (index(path, part[1] "/" part[2] "/") != 1 && index(path, part[1] "/common/") != 1)
    report("plugins include <banger/...> and their own folder only")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
  target = $0
  sub(/^[^"]*"/, "", target)
  sub(/".*$/, "", target)
  seen++
  if (FILENAME ~ "^core/") check_core(target)
  else if (FILENAME ~ "^plugins/") check_plugin(target)
  else if (FILENAME ~ "^include/") {
    if (target ~ "/") report("a public header includes its neighbours only")
  } else {
    split(FILENAME, part, "/")
    if (index(resolve(target), part[1] "/") != 1) report(part[1] "/ includes <banger/...> and itself only")
  }
}

# Everything below core/ is found through -Icore, and <...> would hide it from the check above.
/^[ \t]*#[ \t]*include[ \t]*</ {
  target = $0
  sub(/^[^<]*</, "", target)
  sub(/>.*$/, "", target)
  split(target, part, "/")
  if (part[1] in level && exists("core/" target)) report("files of core/ are included with quotes")
}

END {
  if (bad) exit 1
  printf "%d includes point down\n", seen
}
' $files
