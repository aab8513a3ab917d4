# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Prints the oldest releases that setup.cfg admits, as pip requirements.

Those of the library itself and of its laws, and Flax, which the conformance kit
uses. So what is tested as the floor is what is declared as the floor; but for
absl-py, of which chex asks for a newer release than we need.

Usage: floors.py setup.cfg
"""

import configparser
import sys


def main() -> None:
  config = configparser.ConfigParser()
  with open(sys.argv[1], encoding="utf-8") as file:
    config.read_file(file)
  extras = config["options.extras_require"]
  required = config["options"]["install_requires"].split()
  required += extras["laws"].split()
  required += [x for x in extras["compare"].split() if x.startswith("flax")]
  for line in required:
    name, separator, version = line.partition(">=")
    if not separator:
      sys.exit(f"{line} has no lower bound")
    if name != "absl-py":
      print(f"{name}=={version}")


if __name__ == "__main__":
  main()
