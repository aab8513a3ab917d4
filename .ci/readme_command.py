# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Prints the N-th command of a README: the text of its N-th ```sh block.

Usage: readme_command.py README.md N
"""

import re
import sys


def main() -> None:
  path, number = sys.argv[1], int(sys.argv[2])
  with open(path, encoding="utf-8") as file:
    blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
  if len(blocks) < number:
    sys.exit(f"{path} has {len(blocks)} sh blocks, not {number}")
  sys.stdout.write(blocks[number - 1])


if __name__ == "__main__":
  main()
