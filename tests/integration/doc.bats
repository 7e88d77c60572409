#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the documentation says about the tree is so.

load common

@test "doc: the tests that reliability.md names exist" {
  cd "$repo"
  python3 - <<'PYTHON'
import os, re
text = open("share/doc/reliability.md", encoding="utf-8").read()
table = text.split("## Requirements and their tests")[1].split("\n## ")[0]
rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", table, re.M)
assert [int(number) for number, _ in rows] == [*range(1, 15), 22, 23, 24], rows
missing = []
for number, cell in rows:
    source = ""  # of the file that was named last
    for word, name in re.findall(r'`([^`]+)`|"([^"]+)"', cell):
        places = [f"{folder}{word}" for folder in ("", "tests/unit/", "tests/integration/", "tests/faults/")]
        found = next(filter(os.path.isfile, places), None)
        if found:
            source = open(found, encoding="utf-8").read()
        elif word.endswith((".c", ".bats", ".py")) or (word and " " not in word and not re.search(rf"\b{word}\b", source)):
            missing.append(f"{number}: {word}")
        elif name and not re.search(rf'^@test "([^":]+: )?{re.escape(name)}', source, re.M):
            missing.append(f"{number}: {name}")
assert not missing, missing
PYTHON
}
