# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `optax-stepsize`."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import importlib.util
import os
import sys
import textwrap
from typing import NoReturn

from absl import app
from absl import flags
from absl import logging
from absl.flags import argparse_flags
import jax

from optax_stepsize import catalogue
from optax_stepsize import compare
from optax_stepsize import cost

_INTERRUPTED = 130  # what shells report after Ctrl-C
_CSV = "curves.csv"
_PNG = "comparison.png"


class _UsageError(Exception):
  """What the user can mend; its text is the one line that is shown."""


class _Parser(argparse_flags.ArgumentParser):
  def error(self, message: str) -> NoReturn:
    raise _UsageError(message)


def _integer(minimum: int) -> Callable[[str], int]:
  def parse(text: str) -> int:
    try:
      value = int(text)
    except ValueError:
      value = None
    if value is None or value < minimum:
      raise argparse.ArgumentTypeError(
        f"must be an integer >= {minimum}, got {text!r}"
      )
    return value

  return parse


def _names(text: str) -> tuple[str, ...]:
  names = tuple(name.strip() for name in text.split(",") if name.strip())
  if not names:
    raise argparse.ArgumentTypeError("must name at least one method")
  return tuple(dict.fromkeys(names))


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
  return f"{' and '.join(authors)} {paper.year}, arXiv {paper.arxiv}"


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
    raise _UsageError(str(error)) from error
  # Methods of one paper share an entry, which BibTeX wants once.
  print("\n\n".join(dict.fromkeys(entries)))
  return 0


@contextlib.contextmanager
def _progress(entries: int, steps: int) -> Iterator[Callable[[str, int], None]]:
  """A bar, or a line for each entry where there is no terminal."""
  from rich import progress
  from rich.console import Console

  console = Console(stderr=True, highlight=False)
  finished = 0
  with progress.Progress(
    progress.TextColumn("{task.description:<20}"),
    progress.BarColumn(),
    progress.MofNCompleteColumn(),
    progress.TextColumn("steps"),
    progress.TimeElapsedColumn(),
    console=console,
    transient=True,
    disable=not console.is_terminal,
  ) as bar:
    task = bar.add_task("", total=entries * steps)

    def report(name: str, done: int) -> None:
      nonlocal finished
      place = finished * steps + done
      bar.update(task, completed=place, description=name)
      if done == steps:
        finished += 1
        if not console.is_terminal:
          console.print(f"{finished}/{entries} {name}")

    yield report


def _compare(args: argparse.Namespace) -> int:
  # All that can be wrong is found before anything is trained.
  try:
    compare.require()
    workload = compare.workload(args.workload, batch_size=args.batch_size)
    compare.validate(workload)
    steps = args.steps or workload.steps or compare.DEFAULT_STEPS
    entries = compare.select_entries(
      args.methods,
      total_steps=steps,
      steps_per_epoch=workload.steps_per_epoch,
    )
    folder = compare.check_output_dir(args.output_dir, _CSV, _PNG)
  except OSError as error:
    raise _UsageError(f"cannot write to {args.output_dir}: {error}") from error
  except (ValueError, compare.MissingExtraError) as error:
    raise _UsageError(str(error)) from error

  from rich.console import Console

  with _progress(len(entries), steps) as progress:
    result = compare.compare(
      entries,
      workload=workload,
      steps=steps,
      values=args.values,
      seeds=args.seeds,
      progress=progress,
    )
  # rich assumes 80 columns where there is no terminal, which cuts numbers.
  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=120)
  console.print(compare.table(result, narrow=console.width < 112))
  code = _INTERRUPTED if result.interrupted else 0
  for write, name in (
    (compare.write_csv, _CSV),
    (compare.write_picture, _PNG),
  ):
    try:
      write(result, folder / name)
      print(f"Written: {folder / name}")
    except (OSError, ValueError) as error:
      print(f"optax-stepsize: no {name}: {error}", file=sys.stderr)
      # A picture that would claim too much is refused; that is no failure.
      code = code or (2 if isinstance(error, OSError) else 0)
  return code


def _start_cpus(devices: int) -> None:
  """Lets JAX start with the CPU alone, in as many devices; later, nothing."""
  flag = f"--xla_force_host_platform_device_count={devices}"
  # Of a flag that is there twice, the last one holds.
  os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
  jax.config.update("jax_platforms", "cpu")


def _cost(args: argparse.Namespace) -> int:
  try:
    methods = [cost.find(name) for name in args.method]
    targets = [cost.get_target(name) for name in args.target or cost.TARGETS]
    for target in targets if args.target else ():
      target.require()
  except (ValueError, cost.MissingCompilerError) as error:
    raise _UsageError(str(error)) from error

  # Each beside what Optax has in its place, and none twice.
  counted: dict[str, cost.Method] = {}
  for method in methods:
    if method.is_schedule:
      print(
        f"optax-stepsize: {method.name} is a schedule: it has no state, and no"
        " update to count",
        file=sys.stderr,
      )
      continue
    for one in (method, cost.counterpart(method)):
      if one is not None:
        counted.setdefault(one.name, one)
  if not counted:
    return 0

  _start_cpus(args.devices)
  for target in targets:
    try:
      target.require()
    except cost.MissingCompilerError as error:
      print(f"optax-stepsize: {error}", file=sys.stderr)
      continue
    try:
      costs = [
        cost.measure(method, target=target.name, devices=args.devices)
        for method in counted.values()
      ]
    except ValueError as error:
      raise _UsageError(str(error)) from error
    print(f"### {target.title}\n" if args.markdown else target.title)
    if args.markdown:
      print(cost.markdown(costs))
    else:
      cost.show(costs)
    print(flush=True)
  print(textwrap.fill(cost.LEGEND, 80))
  return 0


def _parser() -> _Parser:
  parser = _Parser(
    prog="optax-stepsize", description="Step-size methods for JAX."
  )
  commands = parser.add_subparsers(required=True, metavar="COMMAND")

  def add(name: str, run: Callable[..., int], summary: str) -> _Parser:
    command = commands.add_parser(
      name,
      help=summary,
      description=summary,
      # They go before the command; here their names could clash with its own.
      inherited_absl_flags=None,
    )
    command.set_defaults(run=run)
    return command

  command = add("list", _list, "Show the catalogue of methods.")
  command.add_argument(
    "--markdown", action="store_true", help="print a Markdown table"
  )

  command = add("cite", _cite, "Print the BibTeX entries of methods.")
  command.add_argument("name", nargs="+", help="name of a method")

  command = add(
    "compare",
    _compare,
    "Train a small network with several methods, each tuned with the same"
    " effort, and show which did best.",
  )
  command.add_argument(
    "--workload",
    default="digits_mlp",
    metavar="NAME",
    help=(
      f"what to train: {', '.join(compare.WORKLOADS)}, or module:object for one"
      " of your own (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--methods",
    type=_names,
    default=compare.DEFAULT_METHODS,
    metavar="A,B",
    help=(
      "METHOD[+BASE][@ARGUMENT=DEFAULT]: names from `optax-stepsize list`,"
      " optax.NAME, module:factory, and baselines"
      f" ({', '.join(compare.BASELINES)}); +BASE is the optimizer that a"
      " schedule sets the rate of, and ARGUMENT what is tuned; if none is a"
      " baseline, all baselines are added (default:"
      f" {','.join(compare.DEFAULT_METHODS)})"
    ),
  )
  for flag, default, text in (
    ("steps", None, "steps of every run"),
    ("values", 5, "values of each method's tuned argument"),
    ("seeds", 3, "seeds for each value"),
    ("batch_size", None, "examples per step"),
  ):
    shown = "what the workload says" if default is None else default
    command.add_argument(
      f"--{flag}",
      type=_integer(1),
      default=default,
      metavar="N",
      help=f"{text} (default: {shown})",
    )
  command.add_argument(
    "--output_dir",
    default="optax_stepsize_compare",
    metavar="DIR",
    help=f"folder for {_CSV} and {_PNG} (default: %(default)s)",
  )

  command = add(
    "cost",
    _cost,
    "Compile one update of a GPT-like tree of 76 leaves and 24.4 million"
    " parameters, run nothing, and show its memory, its traffic and what it"
    " communicates, beside what Optax has in its place.",
  )
  command.add_argument(
    "method",
    nargs="+",
    metavar="METHOD",
    help=(
      "a name from `optax-stepsize list`, an Optax optimizer such as adamw or"
      " optax.contrib.prodigy, or package.module:factory"
    ),
  )
  command.add_argument(
    "--target",
    type=_names,
    metavar="A,B",
    help=(
      f"what to compile for, of {','.join(cost.TARGETS)} (default: those whose"
      " compilers are installed)"
    ),
  )
  command.add_argument(
    "--devices",
    type=_integer(1),
    default=8,
    metavar="N",
    help=(
      "over how many devices to shard the parameters to count collectives; 1"
      " for none (default: %(default)s)"
    ),
  )
  command.add_argument(
    "--markdown", action="store_true", help="print Markdown tables"
  )
  return parser


def _guarded(call: Callable[[], int]) -> int:
  """Shows what the user can mend as one line, without a traceback."""
  try:
    return call()
  except _UsageError as error:
    line = " ".join(str(error).split())
    print(f"optax-stepsize: {line}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("optax-stepsize: interrupted, nothing was finished", file=sys.stderr)
    return _INTERRUPTED
  except BrokenPipeError:
    # The reader, such as `head`, has enough. Python would complain once more
    # when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main(argv: Sequence[str] | None = None) -> int:
  """Runs a command.

  Args:
    argv: Arguments without the name of the program; by default those of the
      process.

  Returns:
    The exit code: 0, 2 if the input or the output is at fault, 130 after an
    interrupt.
  """

  def call() -> int:
    try:
      args = _parser().parse_args(argv)
    except SystemExit as stop:  # --help
      return int(stop.code or 0)
    return args.run(args)

  return _guarded(call)


def run() -> None:
  """The console script: `main` as an absl application."""

  def parse(argv: list[str]) -> argparse.Namespace:
    args = _parser().parse_args(argv[1:])
    if flags.FLAGS["verbosity"].using_default_value:
      # Else absl shows what JAX and matplotlib have to say of themselves.
      logging.set_verbosity(logging.WARNING)
    return args

  def call() -> int:
    try:
      app.run(lambda args: args.run(args), flags_parser=parse)
    except SystemExit as stop:
      return int(stop.code or 0)
    return 0

  code = _guarded(call)
  if code == _INTERRUPTED:
    # JAX may still be compiling in a thread, and crash when the interpreter is
    # taken down under it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  sys.exit(code)
