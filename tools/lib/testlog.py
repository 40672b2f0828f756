# SPDX-License-Identifier: LGPL-2.1-or-later
"""testlog.py TESTLOG_JSON DIRECTORY: what each test of a `meson test` run printed, as files.

Prints a line for each test: its name, its exit status and its file, separated by tabs.
"""
import json
import os
import sys


def main(log, directory):
    with open(log, encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            test = json.loads(line)
            name = test["name"].split(" / ")[-1].split(":")[-1].strip().replace(" ", "-")
            status = test["returncode"]
            if test["result"] == "TIMEOUT":
                status = 124
            elif test["result"] not in ("OK", "EXPECTEDFAIL") and status == 0:
                status = 1
            path = os.path.join(directory, str(number))
            with open(path, "w", encoding="utf-8") as output:
                output.write(test.get("stdout") or "")
            stderr = test.get("stderr")
            if status != 0 and stderr:
                sys.stderr.write(stderr[-4000:])
            print(name, status, path, sep="\t")


main(*sys.argv[1:])
