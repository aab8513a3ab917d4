# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `optax-stepsize`."""

import contextlib
import io
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from optax_stepsize import catalogue
from optax_stepsize import cli


class _Terminal(io.StringIO):
  def isatty(self):
    return True


def _run(*argv: str, terminal: bool = False) -> tuple[int, str, str]:
  """Exit code, standard output and standard error of a command."""
  out, err = (_Terminal if terminal else io.StringIO)(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = cli.main(argv)
  return code, out.getvalue(), err.getvalue()


class ListTest(parameterized.TestCase):
  def test_rows_are_those_of_the_catalogue(self):
    code, out, _ = _run("list")
    header, *lines = out.splitlines()
    self.assertEqual(code, 0)
    self.assertLen(lines, len(catalogue.ROWS))
    for line, row in zip(lines, catalogue.ROWS.values(), strict=True):
      for column, text in (
        ("name", row.name),
        ("family", row.family),
        ("computed from", row.computed_from),
        ("needs", ", ".join(row.needs) or "-"),
        ("static arguments", ", ".join(row.static) or "-"),
        ("bytes/param", f"{row.state_bytes:g}"),
        ("collectives", row.reductions),
      ):
        # Aligned under its heading.
        self.assertStartsWith(line[header.index(column) :], text)
      paper = row.paper
      where = f"arXiv {paper.arxiv}" if paper.arxiv else paper.venue
      self.assertIn(f"{paper.year}, {where}", line)

  def test_markdown(self):
    _, out, _ = _run("list", "--markdown")
    lines = out.splitlines()
    self.assertLen(lines, len(catalogue.ROWS) + 2)
    self.assertLen({line.count("|") for line in lines}, 1)
    for line, name in zip(lines[2:], catalogue.ROWS, strict=True):
      self.assertStartsWith(line, f"| {name} |")

  def test_terminals_get_a_table(self):
    _, rich_out, _ = _run("list", terminal=True)
    with mock.patch.dict(sys.modules, {"rich": None}):
      code, plain_out, _ = _run("list", terminal=True)
    self.assertEqual(code, 0)
    self.assertEqual(plain_out, _run("list")[1])
    self.assertNotEqual(rich_out, plain_out)
    for name in catalogue.ROWS:
      self.assertIn(name, rich_out)

  def test_cite(self):
    code, out, _ = _run("cite", "prodigy", "dog", "ldog")
    self.assertEqual(code, 0)
    for name in ("prodigy", "dog"):
      self.assertIn(catalogue.cite(name), out)
    self.assertEqual(out.count("@"), 2)

  def test_neither_imports_the_extras(self):
    program = (
      "import sys\n"
      "from optax_stepsize import cli, compare\n"
      "assert cli.main(['list']) == 0\n"
      "loaded = {'flax', 'matplotlib', 'rich', 'sklearn'} & set(sys.modules)\n"
      "assert not loaded, loaded\n"
      "from absl import flags\n"
      "own = [m for m in flags.FLAGS.flags_by_module_dict()\n"
      "       if m.startswith('optax_stepsize')]\n"
      "assert not own, own\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    (["cite", "prodgy"], "unknown method 'prodgy'. Did you mean prodigy"),
    (["race"], "race"),
    ([], "COMMAND"),
  )
  def test_bad_input(self, argv, message):
    code, out, err = _run(*argv)
    self.assertEqual(code, 2)
    self.assertEmpty(out)
    self.assertLen(err.splitlines(), 1)
    self.assertStartsWith(err, "optax-stepsize: ")
    self.assertIn(message, err)

  def test_console_script(self):
    def script(*argv, before=""):
      program = f"from optax_stepsize import cli\n{before}\ncli.run()"
      return subprocess.run(
        [sys.executable, "-c", program, *argv],
        capture_output=True,
        text=True,
        check=False,
      )

    failed = script("cite", "prodgy")
    self.assertEqual(failed.returncode, 2)
    self.assertLen(failed.stderr.splitlines(), 1)
    shown = script("--verbosity=0", "cite", "prodigy")
    self.assertEqual(shown.returncode, 0)
    self.assertEqual(shown.stdout.strip(), catalogue.cite("prodigy"))
    interrupt = (
      "def stop(args): raise KeyboardInterrupt\n"
      "from optax_stepsize.commands import _list\n_list._list = stop"
    )
    stopped = script("list", before=interrupt)
    self.assertEqual(stopped.returncode, 130)
    self.assertIn("interrupted", stopped.stderr)


if __name__ == "__main__":
  absltest.main()
