# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables of costs, as text or Markdown."""

from collections.abc import Sequence
import importlib.util
import sys

from optax_stepsize.cost import _measure

LEGEND = (
  "Bytes and FLOPs of one update, per parameter; parameters and gradients are"
  " float32. stated: in the catalogue. read+written: bytes of main memory."
  " minimum: the least of them that the catalogue states. temporary: memory"
  " besides parameters, state and gradients. in place: share of parameters and"
  " state whose memory is used again. collectives: number of each kind and"
  " their bytes in all."
)


def header(devices: int) -> tuple[str, ...]:
  """The names of the columns."""
  return (
    "method",
    "state",
    "stated",
    "read+written",
    "minimum",
    "temporary",
    "FLOPs",
    "in place",
    f"collectives on {devices} devices" if devices > 1 else "collectives",
  )


def _number(cost: _measure.Cost, value: float | None) -> str:
  return "-" if value is None else f"{cost.per_parameter(value):.2f}"


def _bytes(number: float) -> str:
  for unit in ("B", "kB"):
    if number < 1000:
      return f"{number:.3g} {unit}"
    number /= 1000
  return f"{number:.3g} MB"


def _collectives(cost: _measure.Cost) -> str:
  if cost.collectives is None:
    return "-"
  return (
    ", ".join(
      f"{found.count} {found.operation} ({_bytes(found.bytes)})"
      for found in cost.collectives
    )
    or "none"
  )


def cells(cost: _measure.Cost) -> list[str]:
  """A row of the table."""

  def stated(value):
    return "-" if value is None else f"{value:g}"

  return [
    cost.name,
    _number(cost, cost.state_bytes),
    stated(cost.stated_state_bytes),
    _number(cost, cost.bytes_accessed),
    stated(cost.stated_min_bytes),
    _number(cost, cost.temporary_bytes),
    _number(cost, cost.flops),
    f"{100 * cost.in_place:.0f}%",
    _collectives(cost),
  ]


def markdown(costs: Sequence[_measure.Cost]) -> str:
  """A Markdown table, names as code and numbers to the right."""
  columns = header(costs[0].devices)
  rules = ["---", *["---:"] * (len(columns) - 2), "---"]
  rows = [[f"`{row[0]}`", *row[1:]] for row in map(cells, costs)]
  return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rules, *rows))


def text(costs: Sequence[_measure.Cost]) -> str:
  """An aligned table, one line for each method."""
  rows = [header(costs[0].devices), *map(cells, costs)]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

  def line(row):
    first, *numbers, last = row
    padded = [n.rjust(w) for n, w in zip(numbers, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *padded, last])

  return "\n".join(map(line, rows))


def show(costs: Sequence[_measure.Cost]) -> None:
  """Prints a table: of rich on a terminal, if it is installed."""
  if not (sys.stdout.isatty() and importlib.util.find_spec("rich")):
    print(text(costs))
    return
  from rich import box
  from rich.console import Console
  from rich.table import Table

  table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
  columns = header(costs[0].devices)
  for place, column in enumerate(columns):
    edge = place in (0, len(columns) - 1)
    table.add_column(
      column, justify="left" if edge else "right", overflow="fold"
    )
  for cost in costs:
    table.add_row(*cells(cost))
  Console(highlight=False).print(table)
