# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The authors' code, run again, gives the recorded trajectories."""

import importlib.util

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from tests.parity import generate
from tests.parity import problem as problems

# These are in no package index, so their tests are not even skipped where there
# are none. `sps_test` compares its trajectories with a transcription.
UNPUBLISHED = ("sps", "smbsolve", "LRBench")
GROUPS = [
  group
  for group, module in generate.GROUPS.items()
  if module not in UNPUBLISHED or importlib.util.find_spec(module)
]


def assert_same(now, recorded, where):
  """Compares nested JSON; numbers to 1e-12 of themselves or their array."""
  if isinstance(recorded, dict):
    if now.keys() != recorded.keys():
      raise AssertionError(f"{where}: {sorted(now)} and {sorted(recorded)}.")
    for key, value in recorded.items():
      assert_same(now[key], value, f"{where}.{key}")
  elif recorded is None or isinstance(recorded, str):
    if now != recorded:
      raise AssertionError(f"{where}: {now!r} and {recorded!r}.")
  else:
    size = np.max(np.abs(recorded), initial=0)
    np.testing.assert_allclose(
      now, recorded, rtol=1e-12, atol=1e-14 * size, err_msg=where
    )


class LiveTest(parameterized.TestCase):
  @parameterized.named_parameters((group, group) for group in GROUPS)
  def test_recorded(self, group):
    for module in ("torch", generate.GROUPS[group]):
      if importlib.util.find_spec(module) is None:
        self.skipTest(f"The reference needs the module {module}.")
    for name, content in generate.generate(group).items():
      recorded = problems.load(name)
      assert_same(content["problem"], recorded["problem"], name)
      names = [case["name"] for case in recorded["cases"]]
      self.assertEqual([case["name"] for case in content["cases"]], names)
      for now, case in zip(content["cases"], recorded["cases"], strict=True):
        assert_same(now, case, f"{name}: {case['name']}")


if __name__ == "__main__":
  absltest.main()
