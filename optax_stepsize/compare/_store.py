# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""The finished runs of a race, kept in a folder so that it can be continued."""

import json
import os
import pathlib
import shutil
from typing import Any
import urllib.parse
import zipfile

import numpy as np

from optax_stepsize.compare import _files
from optax_stepsize.compare import _results

_FORMAT = 1
_RACE = "race.json"
_RUNS = "runs"


class Store:
  """A folder with `race.json` and the runs that are finished, under `runs/`.

  Attributes:
    folder: The folder.
    settings: What the race was started with, as JSON holds it.
    error: Why runs could not be written, if so; the race goes on without.
  """

  def __init__(self, folder: pathlib.Path, content: dict[str, Any]):
    self.folder = folder
    self.error: OSError | None = None
    self._content = content

  @classmethod
  def create(
    cls, folder: str | os.PathLike[str], settings: dict[str, Any]
  ) -> "Store":
    """Begins a race; runs of a race that was here before are deleted.

    Args:
      folder: An existing folder.
      settings: What `open` should know of it.

    Raises:
      OSError: If the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    shutil.rmtree(folder / _RUNS, ignore_errors=True)
    content = {
      "format": _FORMAT,
      "settings": settings,
      "layouts": {},
      "finished": False,
    }
    store = cls(folder, content)
    store._write()
    return store

  @classmethod
  def open(cls, folder: str | os.PathLike[str]) -> "Store":
    """Finds the race in a folder.

    Args:
      folder: The folder.

    Raises:
      ValueError: If there is none, or it cannot be read.
    """
    folder = pathlib.Path(folder)
    path = folder / _RACE
    try:
      content = json.loads(path.read_text(encoding="utf-8"))
      known = content["format"] == _FORMAT
    except FileNotFoundError:
      raise ValueError(f"there is no race in {folder}: no {_RACE}.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise ValueError(f"{path} cannot be read: {error}.") from error
    if not known:
      raise ValueError(
        f"{path} was written by another version: its format is"
        f" {content['format']}, and {_FORMAT} is known."
      )
    return cls(folder, content)

  @classmethod
  def unfinished(cls, folder: str | os.PathLike[str]) -> bool:
    """Whether there are runs in a folder that would be lost by a new race."""
    try:
      store = cls.open(folder)
    except ValueError:
      return False
    runs = store.folder / _RUNS
    return not store._content["finished"] and any(runs.glob("*/*/*.npz"))

  @property
  def settings(self) -> dict[str, Any]:
    """What the race was started with."""
    return self._content["settings"]

  def layout(self, workload: str) -> _results.Layout | None:
    """How the runs on a workload were laid out, if any were."""
    found = self._content["layouts"].get(workload)
    return None if found is None else _results.Layout(**found)

  def save_layout(self, workload: str, layout: _results.Layout) -> None:
    """Keeps how the runs on a workload are laid out."""
    self._content["layouts"][workload] = layout._asdict()
    self._try(self._write)

  def finish(self) -> None:
    """Notes that nothing is left to run."""
    self._content["finished"] = True
    self._try(self._write)

  def fill(self, workload: str, block: _results.Block) -> None:
    """Puts the runs of an entry that are here into its block.

    Raises:
      ValueError: If they are those of another grid, or cannot be read.
    """
    for path in sorted(self._place(workload, block).glob("[0-9]*.npz")):
      try:
        with open(path, "rb") as file, np.load(file) as arrays:
          found = dict(arrays)
        same = all(
          np.array_equal(found[name], getattr(block, name))
          for name in ("values", "steps", "seeds")
        )
        if same:
          point = _results.Point(*(found[n] for n in _results.Point._fields))
          block.add(found["cells"], point, float(found["seconds"]))
          block.compile_seconds = float(found["compile_seconds"])
          block.step_seconds = float(found["step_seconds"])
          block.state_bytes = int(found["state_bytes"])
      except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
          f"{path} cannot be read: {error}. Delete it, to run it again."
        ) from error
      if not same:
        raise ValueError(
          f"{path} has runs of other values, seeds or steps than"
          f" {block.entry.name} has now. Delete it, to run it again."
        )

  def save(
    self,
    workload: str,
    block: _results.Block,
    cells: np.ndarray,
    seconds: float,
  ) -> None:
    """Keeps runs of a block."""
    place = self._place(workload, block)
    point = {
      name: array[cells] for name, array in block.point._asdict().items()
    }

    def write():
      place.mkdir(parents=True, exist_ok=True)
      _files.write_atomically(
        place / f"{cells[0]:05d}.npz",
        lambda file: np.savez(
          file,
          cells=cells,
          values=block.values,
          seeds=block.seeds,
          steps=block.steps,
          seconds=seconds,
          compile_seconds=block.compile_seconds,
          step_seconds=block.step_seconds,
          state_bytes=block.state_bytes,
          **point,
        ),
      )

    self._try(write)

  def _place(self, workload: str, block: _results.Block) -> pathlib.Path:
    names = (workload, block.entry.name)
    quoted = (urllib.parse.quote(name, safe="@+") for name in names)
    return self.folder.joinpath(_RUNS, *quoted)

  def _write(self) -> None:
    text = json.dumps(self._content, indent=2)
    _files.write_atomically(
      self.folder / _RACE, lambda file: file.write(f"{text}\n".encode())
    )

  def _try(self, write) -> None:
    try:
      write()
    except OSError as error:
      self.error = self.error or error
