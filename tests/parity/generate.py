# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records trajectories of the authors' code, as JSON next to this script.

pip install optax-stepsize[parity]
python -m tests.parity.generate --group=dog
"""

from collections.abc import Sequence
import importlib
import pathlib

from absl import app
from absl import flags

from tests.parity import recording

# Group -> module that the group imports. A group is `generate_<group>.py`.
GROUPS = {
  "prodigy": "prodigyopt",
  "dog": "dog",
  "d_adaptation": "dadaptation",
  "schedule_free": "schedulefree",
  "schedule_free_wrapper": "schedulefree",
  "lookahead": "pytorch_optimizer",
  "smb": "smbsolve",
  "sps": "sps",
  "momo": "momo",
  "cyclical": "torch",
  "multiplicative_cyclic": "torch",
  "one_cycle": "torch",
  "policies": "LRBench",
  "policy_polyak": "numpy",
  "rex": "pytorch_optimizer",
  "wsd": "pytorch_optimizer",
}


def generate(group: str) -> dict[str, dict]:
  """Runs the authors' code; file name -> content."""
  module = importlib.import_module(f"tests.parity.generate_{group}")
  return module.generate()


def _define_flags() -> None:
  groups = list(GROUPS)
  flags.DEFINE_multi_enum("group", groups, groups, "What to record.")
  flags.DEFINE_string(
    "output_dir", str(pathlib.Path(__file__).parent), "Where the files go."
  )


def main(argv: Sequence[str]) -> None:
  """Writes the files of the chosen groups."""
  del argv
  for group in flags.FLAGS.group:
    for name, content in generate(group).items():
      path = pathlib.Path(flags.FLAGS.output_dir) / f"{name}.json"
      recording.write(path, content)
      print(f"{path}: {len(content['cases'])} cases")


if __name__ == "__main__":
  _define_flags()
  app.run(main)
