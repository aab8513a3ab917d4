# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bytes that a compiled program reads and writes, from its text.

Compilers count for themselves, each in another way or not at all; the text that
they all print is read here in one way.
"""

from collections.abc import Iterator
import dataclasses
import math
import re

_WIDTHS = {"bf16": 2, "c64": 8, "c128": 16, "pred": 1}
_ARRAY = re.compile(
  r"\b(pred|bf16|[cfsu]\d+)[a-z0-9]*\[([\d,]*)\](\{[^{}]*\})?"
)
# On a TPU, S(n) with n > 0 is memory on the chip, such as VMEM.
_ON_CHIP = re.compile(r"S\([1-9]\d*\)")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = ")
_OPERATION = re.compile(r"\s*([a-z][\w\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(
  r"\b(?:to_apply|body|branch_computations|true_computation"
  r"|false_computation)=(?:\{([^}]*)\}|%?([\w.\-]+))"
)
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
# They rename, or describe what is counted elsewhere.
_FREE = ("parameter", "tuple", "get-tuple-element", "constant", "bitcast")
_SLICES = ("slice", "dynamic-slice", "slice-start")


@dataclasses.dataclass(frozen=True)
class _Instruction:
  name: str
  type: str
  operation: str
  operands: tuple[str, ...]
  attributes: str

  def called(self) -> list[str]:
    """Names of the computations that it runs."""
    return [
      name.strip().lstrip("%")
      for several, one in _CALLED.findall(self.attributes)
      for name in (several or one).split(",")
    ]


def _closing(text: str, start: int) -> int:
  """Index of the parenthesis that closes the one at `start`."""
  depth = 0
  for place in range(start, len(text)):
    depth += {"(": 1, ")": -1}.get(text[place], 0)
    if depth == 0:
      return place
  raise ValueError(f"unbalanced parentheses in {text!r}")


def _instruction(line: str) -> _Instruction | None:
  match = _INSTRUCTION.match(line)
  if match is None:
    return None
  rest = line[match.end() :]
  stop = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
  operation = _OPERATION.match(rest, stop)
  if operation is None:
    return None
  end = _closing(rest, operation.end() - 1)
  return _Instruction(
    name=match[1],
    type=rest[:stop],
    operation=operation[1],
    operands=tuple(_NAME.findall(rest[operation.end() : end])),
    attributes=rest[end:],
  )


def _parts(kind: str) -> list[str]:
  """The elements of a tuple type."""
  parts, depth, start = [], 0, 1
  for place, letter in enumerate(kind):
    depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(letter, 0)
    if (letter == "," and depth == 1) or depth == 0:
      parts.append(kind[start:place])
      start = place + 1
  return parts


def _bytes(kind: str, on_chip: bool = False) -> int:
  """Bytes of the arrays of a type, without or with those on the chip."""
  total = 0
  for dtype, shape, layout in _ARRAY.findall(kind):
    if _ON_CHIP.search(layout) and not on_chip:
      continue
    width = _WIDTHS[dtype] if dtype in _WIDTHS else max(1, int(dtype[1:]) // 8)
    total += width * math.prod(int(n) for n in shape.split(",") if n)
  return total


def _result(instruction: _Instruction) -> str:
  """The type of what is written, without what only accompanies it."""
  kind, operation = instruction.type, instruction.operation
  if operation.endswith("-start") and kind.startswith("("):
    if operation == "copy-start":  # (destination, source, context)
      return _parts(kind)[0]
    if operation != "all-reduce-start":  # (operands, result, context)
      return _parts(kind)[1]
  return kind


def _computations(text: str) -> Iterator[tuple[str, bool, list[_Instruction]]]:
  """Name, whether it is the entry, and instructions of each computation."""
  name, entry = "", False
  found: list[_Instruction] = []
  # Tuples carry comments such as /*index=5*/, in which "=" would mislead.
  for line in re.sub(r"/\*.*?\*/", "", text).splitlines():
    if header := _COMPUTATION.match(line):
      name, entry, found = header[2], bool(header[1]), []
    elif line.startswith("}"):
      yield name, entry, found
    elif instruction := _instruction(line):
      found.append(instruction)


def bytes_accessed(text: str) -> int:
  """Bytes of main memory that a compiled program reads and writes.

  Every operation of the entry computation reads its operands and writes its
  results; what happens inside a fusion stays in registers. Loops count as often
  as the compiler knows that they run, once if it does not know; of branches the
  dearest counts. What a TPU keeps in the memory on the chip is free.

  Args:
    text: What `compiled.as_text()` returns.

  Raises:
    ValueError: If the text is not that of a compiled program.
  """
  computations = {}
  entry = None
  for name, is_entry, instructions in _computations(text):
    computations[name] = instructions
    entry = name if is_entry else entry
  if entry is None:
    raise ValueError("there is no ENTRY in the text of the program")

  def cost(instruction: _Instruction, types: dict[str, str]) -> int:
    operation = instruction.operation
    if operation in _FREE or operation.endswith("-done"):
      return 0
    if "ConcatBitcast" in instruction.attributes:
      return 0
    called = [name for name in instruction.called() if name in computations]
    if operation == "call":
      return sum(map(total, called))
    if operation == "conditional":
      return max(map(total, called))
    if operation == "while":
      trips = _TRIPS.search(instruction.attributes)
      return int(trips[1] if trips else 1) * sum(map(total, called))
    result = _result(instruction)
    operands = [types.get(name, "") for name in instruction.operands]
    if operation in _SLICES and operands:
      # The rest of the array is not touched.
      read = min(_bytes(operands[0]), _bytes(result, on_chip=True))
      return _bytes(result) + read + sum(map(_bytes, operands[1:]))
    if operation == "dynamic-update-slice":
      # The rest of the array stays where it is.
      return _bytes(operands[1]) + sum(map(_bytes, operands[1:]))
    return _bytes(result) + sum(map(_bytes, operands))

  def total(name: str) -> int:
    types = {i.name: i.type for i in computations[name]}
    return sum(cost(instruction, types) for instruction in computations[name])

  return total(entry)
