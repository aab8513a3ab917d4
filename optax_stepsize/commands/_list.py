# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""`optax-stepsize list` and `optax-stepsize cite`."""

import argparse
from collections.abc import Sequence
import importlib.util
import sys
from typing import Any

from optax_stepsize import catalogue
from optax_stepsize.commands import _common

_HEADER = (
  "name",
  "family",
  "computed from",
  "needs",
  "static arguments",
  "bytes/param",
  "collectives",
  "paper",
)


def _paper(paper: catalogue.Paper) -> str:
  authors = [name.split(",")[0] for name in paper.authors.split(" and ")]
  if len(authors) > 2:
    authors = [f"{authors[0]} et al."]
  where = f"arXiv {paper.arxiv}" if paper.arxiv else paper.venue
  return f"{' and '.join(authors)} {paper.year}, {where}"


def _catalogue_cells() -> list[list[str]]:
  return [
    [
      row.name,
      row.family,
      row.computed_from,
      ", ".join(row.needs) or "-",
      ", ".join(row.static) or "-",
      f"{row.state_bytes:g}",
      row.reductions,
      _paper(row.paper),
    ]
    for row in catalogue.ROWS.values()
  ]


def _stacked(cells: Sequence[str]) -> list[str]:
  """The cells of a method in three columns, for narrow terminals."""
  name, family, source, needs, static, state, collectives, paper = cells
  facts = f"needs: {needs}\n{state} bytes/param\ncollectives: {collectives}"
  return [
    f"{name}\n  {family}",
    f"from {source}\n{facts}",
    f"{paper}\nstatic: {static}\n",
  ]


def _list(args: argparse.Namespace) -> int:
  rows = _catalogue_cells()
  if args.markdown:
    for cells in (_HEADER, ["---"] * len(_HEADER), *rows):
      print(f"| {' | '.join(cells)} |")
  elif sys.stdout.isatty() and importlib.util.find_spec("rich"):
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    headers, arranged = list(_HEADER), rows
    if console.width < 150:
      headers, arranged = (
        ["name", "what it does", "paper"],
        [_stacked(cells) for cells in rows],
      )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_lines=False)
    for place, header in enumerate(headers):
      table.add_column(header, no_wrap=place == 0, overflow="fold")
    for cells in arranged:
      table.add_row(*cells)
    console.print(table)
  else:
    # One line per method, for grep and for terminals that scroll.
    widths = [
      max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)
    ]
    for cells in (_HEADER, *rows):
      line = "  ".join(
        cell.ljust(w) for cell, w in zip(cells, widths, strict=True)
      )
      print(line.rstrip())
  return 0


def _cite(args: argparse.Namespace) -> int:
  try:
    entries = [catalogue.cite(name) for name in args.name]
  except ValueError as error:
    raise _common.UsageError(str(error)) from error
  # Methods of one paper share an entry, which BibTeX wants once.
  print("\n\n".join(dict.fromkeys(entries)))
  return 0


def add(commands: Any) -> None:
  """Adds the commands."""
  command = _common.add_command(
    commands, "list", _list, "Show the catalogue of methods."
  )
  command.add_argument(
    "--markdown", action="store_true", help="print a Markdown table"
  )
  command = _common.add_command(
    commands, "cite", _cite, "Print the BibTeX entries of methods."
  )
  command.add_argument("name", nargs="+", help="name of a method")
