# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that are there in full or not at all."""

from collections.abc import Callable
import os
import pathlib
import tempfile
from typing import Any, IO


def check_output_dir(path: str | os.PathLike[str], *names: str) -> pathlib.Path:
  """Makes a folder and checks that files can be written to it.

  Args:
    path: The folder; parents are made as well.
    *names: Names of files that will be written, or replaced.

  Returns:
    The folder.

  Raises:
    OSError: If it cannot be made or written to, or one of the names belongs to
      a folder.
  """
  folder = pathlib.Path(path)
  folder.mkdir(parents=True, exist_ok=True)
  with tempfile.NamedTemporaryFile(dir=folder) as file:
    file.write(b"probe")
  for name in names:
    if (folder / name).is_dir():
      raise IsADirectoryError(21, "Is a directory", str(folder / name))
  return folder


def write_atomically(
  path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]
) -> None:
  """Writes a file that is there in full or, after an error, as it was before.

  Args:
    path: The file.
    write: Given a binary file to write to.
  """
  path = pathlib.Path(path)
  handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
  try:
    with os.fdopen(handle, "wb") as file:
      write(file)
    # As open() would make it; mkstemp makes files that are private.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    os.replace(name, path)
  except BaseException:
    os.unlink(name)
    raise
