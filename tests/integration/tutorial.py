#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tutorial.py DOCUMENT [--write]: runs the commands of a document's transcripts, in one shell and in order, and
compares what they print with what the document says. A transcript is a block ```console: "$ " begins a
command, "> " goes on with it, everything else was printed. What comes on standard error (progress) is left
out. Durations, and where the home lies, differ from run to run.
  --write   puts into the document what was printed, and how long each transcript took"""
import os
import re
import subprocess
import sys
import time

END = "__the_end_of_a_command__"


def alike(text):
    text = re.sub(r"\b\d+(\.\d+)?(ms|us|s)\b", "TIME", text)
    return re.sub(r"[ \t]+", " ", text)


class Shell:
    def __init__(self):
        self.home = os.environ["HOME"]
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, cwd=self.home)

    def run(self, command):
        """What it printed, and its status."""
        self.process.stdin.write(f"{{\n{command}\n}} 2>>{self.home}/stderr </dev/null\necho; echo {END} $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(END):
                return "".join(lines)[:-1].replace(self.home, "/home/me"), int(line.split()[1])
            lines.append(line)
        raise RuntimeError(f"the shell ended in: {command}")


def commands(block):
    """[(the lines as they stand, the command, what it is said to print)]"""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line, line[2:], ""])
        elif line.startswith("> ") or line == ">\n":
            found[-1][0] += line
            found[-1][1] += line[2:] or "\n"
        else:
            found[-1][2] += line
    return found


def play(shell, block, number):
    """The block as it really is."""
    text, failed = "", False
    for shown, command, said in commands(block):
        printed, status = shell.run(command.rstrip("\n"))
        meant_to_fail = re.search(r"^(failed|fail|error:)", printed, re.M)
        if status != 0 and not meant_to_fail:
            print(f"transcript {number}: status {status} of: {command}")
            failed = True
        if alike(printed.strip()) != alike(said.strip()):
            print(f"transcript {number}: {command}--- said\n{said}--- printed\n{printed}---")
            failed = True
        text += shown + printed
    return text, failed


def main():
    document = sys.argv[1]
    with open(document, encoding="utf-8") as file:
        parts = re.split(r"(?ms)^```console\n(.*?)^```$", file.read())
    shell, different = Shell(), False
    for i in range(1, len(parts), 2):
        begun = time.monotonic()
        written, failed = play(shell, parts[i], i // 2 + 1)
        print(f"transcript {i // 2 + 1}: {time.monotonic() - begun:.1f} s", flush=True)
        different = different or failed
        parts[i] = f"```console\n{written}```"
    if "--write" in sys.argv:
        with open(document, "w", encoding="utf-8") as file:
            file.write("".join(parts))
        return 0
    return 1 if different else 0


sys.exit(main())
