# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a row of the catalogue says."""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

import optax


@dataclasses.dataclass(frozen=True)
class Paper:
  """Where a method comes from.

  Attributes:
    key: BibTeX key.
    title: Title.
    authors: Authors, in BibTeX's form, joined with " and ".
    year: Year of publication.
    arxiv: arXiv number, or "".
    venue: Conference or journal; "" for what only arXiv has.
  """

  key: str
  title: str
  authors: str
  year: int
  arxiv: str
  venue: str

  def bibtex(self) -> str:
    """The BibTeX entry."""
    fields = {
      "title": f"{{{self.title}}}",
      "author": self.authors,
      "booktitle": self.venue,
      "year": self.year,
      "eprint": self.arxiv,
      "archivePrefix": "arXiv" if self.arxiv else "",
    }
    lines = ",\n".join(f"  {name} = {{{v}}}" for name, v in fields.items() if v)
    kind = "inproceedings" if self.venue else "misc"
    return f"@{kind}{{{self.key},\n{lines},\n}}"


@dataclasses.dataclass(frozen=True)
class Recommended:
  """How the authors of a method say to use it.

  Attributes:
    settings: That, in a few words.
    options: Arguments of the factory that are not its defaults.
    wrap: From the transformation to the one to use in its place, or None.
  """

  settings: str = ""
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  wrap: (
    Callable[[optax.GradientTransformation], optax.GradientTransformation]
    | None
  ) = None


# From the steps of a run and the steps per epoch, None where there are none.
Recommend = Callable[[int, int | None], Recommended]


@dataclasses.dataclass(frozen=True)
class Row:
  """What there is to know of a method without reading its code.

  Attributes:
    name: Public name, of the method and of its factory.
    factory: Makes the transformation or schedule.
    kind: "transformation", "schedule", "averaging" for a transformation that
      leaves updates as they are, "recorder" for one that leaves updates as they
      are and keeps what it saw, "twins" for one of two stacked copies of the
      parameters with a return each, or "tool" for a function outside of
      training.
    family: Sub-package that is its home.
    computed_from: What sets the step size.
    paper: Where it comes from.
    needs: Inputs of `update` that it cannot do without.
    static: Arguments that must not be traced. All other numbers may be.
    state_bytes: Bytes of state per float32 parameter, with default arguments.
    min_bytes: Least bytes per float32 parameter that one update has to read and
      write: parameters, gradients and state read, parameters and state written.
      Zero for a schedule.
    reductions: What an update of sharded parameters communicates.
    sweep: Argument that a tuner should vary first and its default, or None.
    evaluation: What `eval_params` returns: "params" or "average".
    parity: What trajectories are compared with.
    parts: Other public names that belong to the method.
    example: Arguments that make the factory callable.
    exempt: Property of the conformance kit -> reason why it does not hold.
    race: What its authors recommend for a run of so many steps, for races that
      are fair to it. None: the defaults.
  """

  name: str
  factory: Callable[..., Any]
  kind: str
  family: str
  computed_from: str
  paper: Paper
  needs: tuple[str, ...]
  static: tuple[str, ...]
  state_bytes: float
  min_bytes: float
  reductions: str
  sweep: tuple[str, float] | None
  evaluation: str
  parity: str
  parts: tuple[str, ...] = ()
  example: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  exempt: Mapping[str, str] = dataclasses.field(default_factory=dict)
  race: Recommend | None = None
