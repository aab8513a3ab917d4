# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of a race: all of it in one HTML file."""

import base64
from collections.abc import Iterable, Mapping, Sequence
import html
import os
import pathlib
import tempfile

from optax_stepsize.compare import _files
from optax_stepsize.compare import _plots
from optax_stepsize.compare import _report
from optax_stepsize.compare import _results

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto;
  max-width: 1200px; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2.2em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; white-space: nowrap; }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd;
  font-variant-numeric: tabular-nums; }
th { border-bottom: 2px solid #888; }
td.text, th.text { text-align: left; }
tr.failed td { color: #b00020; }
img { max-width: 100%; height: auto; }
ul { padding-left: 1.2em; color: #444; } li { margin: .15em 0; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1em; }
dd { margin: 0; }
"""


def _escaped(texts: Iterable[str]) -> list[str]:
  return [html.escape(text) for text in texts]


def _table(
  headers: Sequence[str],
  lines: Sequence[Sequence[str]],
  left: int,
  failed: Sequence[bool],
) -> str:
  def line(tag, texts, attributes=""):
    cells = "".join(
      f"<{tag}{' class=text' if place < left else ''}>{text}</{tag}>"
      for place, text in enumerate(_escaped(texts))
    )
    return f"<tr{attributes}>{cells}</tr>"

  body = "\n".join(
    line("td", texts, " class=failed" if bad else "")
    for texts, bad in zip(lines, failed, strict=True)
  )
  return (
    f"<div class=scroll><table>\n<thead>{line('th', headers)}</thead>\n"
    f"<tbody>\n{body}\n</tbody></table></div>"
  )


def _image(write, what, alt: str) -> str:
  """A picture as data, or why there is none."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "picture.png"
    try:
      write(what, path)
    except ValueError as error:
      return f"<p>No picture: {html.escape(str(error))}.</p>"
    data = base64.b64encode(path.read_bytes()).decode()
  return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _list(lines: Iterable[str]) -> str:
  items = "".join(f"<li>{line}</li>\n" for line in _escaped(lines))
  return f"<ul>\n{items}</ul>"


def _section(comparison: _results.Comparison) -> str:
  rows = comparison.rows
  table = _table(
    _report.HEADERS,
    [_report.cells(row, comparison.seeds) for row in rows],
    left=2,
    failed=[row.best_value is None for row in rows],
  )
  name = comparison.workload
  return "\n".join(
    (
      f"<h2>{html.escape(_report.title(comparison))}</h2>",
      table,
      _image(_plots.write_picture, comparison, f"Curves of {name}"),
      _list(_report.legend(comparison)),
    )
  )


def _profile(race: _results.Race) -> str:
  headers, lines = _report.profile_cells(race)
  if len(headers) < 3:
    return ""
  return "\n".join(
    (
      "<h2>All workloads: steps to target</h2>",
      _table(headers, lines, left=1, failed=[False] * len(lines)),
      _image(_plots.write_profile, race, "Performance profile"),
      _list([_report.PROFILE_LEGEND]),
    )
  )


def write_page(
  race: _results.Race,
  path: str | os.PathLike[str],
  facts: Mapping[str, str] | None = None,
) -> None:
  """Writes tables and pictures of a race to one HTML file that needs no other.

  Args:
    race: What to show.
    path: The file, which is replaced only when all is written.
    facts: What else to say of how it was made: name -> text.

  Raises:
    MissingExtraError: If matplotlib is not installed.
  """
  described = "".join(
    f"<dt>{name}</dt><dd>{text}</dd>\n"
    for name, text in (_escaped(item) for item in (facts or {}).items())
  )
  sections = "\n".join(map(_section, race.comparisons))
  interrupted = ""
  if race.interrupted:
    interrupted = "<p><b>Interrupted: what was not finished is missing.</b></p>"
  page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>optax_stepsize: a race</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>A race of step-size methods</h1>
{interrupted}
<dl>
{described}</dl>
{_profile(race)}
{sections}
</body>
</html>
"""
  _files.write_atomically(path, lambda file: file.write(page.encode()))
