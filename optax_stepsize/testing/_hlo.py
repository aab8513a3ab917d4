# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Collective operations in the text of a compiled program."""

import math
import re

_BYTES = {"bf16": 2, "c64": 8, "c128": 16, "pred": 1}
_OPERATION = re.compile(
  r"=\s*(?P<type>\([^=]*?\)|\S+)\s+(?P<name>all-reduce|all-gather"
  r"|reduce-scatter|(?:ragged-)?all-to-all|collective-(?:permute|broadcast))"
  r"(?P<half>-start|-done)?\("
)
_ARRAY = re.compile(r"\b(pred|bf16|[cfsu]\d+)[a-z0-9]*\[([\d,]*)\]")


def _size(dtype: str, shape: tuple[int, ...]) -> int:
  width = _BYTES[dtype] if dtype in _BYTES else max(1, int(dtype[1:]) // 8)
  return width * math.prod(shape)


def collectives_in(
  text: str,
) -> list[tuple[str, list[tuple[str, tuple[int, ...]]], int]]:
  """Collectives in HLO text: name, dtypes and shapes of the result, bytes.

  Of an asynchronous pair only the start counts.
  """
  found = []
  for line in text.splitlines():
    match = _OPERATION.search(re.sub(r"/\*.*?\*/", "", line))
    if match is None or match["half"] == "-done":
      continue
    arrays = [
      (dtype, tuple(int(n) for n in shape.split(",") if n))
      for dtype, shape in _ARRAY.findall(match["type"])
    ]
    found.append((match["name"], arrays, sum(_size(*a) for a in arrays)))
  return found
