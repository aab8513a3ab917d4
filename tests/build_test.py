# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that BUILD says what the file tree and the imports say.

No Bazel is needed: the subset of Starlark that a BUILD file consists of is
Python as well, so the file is run with functions that record its targets.
"""

import ast
import collections
from collections.abc import Iterable
import dataclasses
import pathlib
import textwrap
from typing import Any

from absl.testing import absltest
from absl.testing import parameterized

_ROOT = pathlib.Path(__file__).parent.parent
_PACKAGE = "optax_stepsize"


@dataclasses.dataclass(frozen=True)
class Target:
  """A target of the BUILD file, with paths relative to it."""

  kind: str
  name: str
  srcs: tuple[str, ...] = ()
  deps: tuple[str, ...] = ()
  data: tuple[str, ...] = ()
  testonly: bool = False
  visibility: tuple[str, ...] = ()


def _paths(root: pathlib.Path, patterns: Iterable[str]) -> set[str]:
  return {
    path.relative_to(root).as_posix()
    for pattern in patterns
    for path in root.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
  }


def read_targets(root: pathlib.Path) -> list[Target]:
  """The targets of `root/BUILD`, in its order."""
  targets = []
  package_visibility = []

  def glob(include, exclude=()):
    return sorted(_paths(root, include) - _paths(root, exclude))

  def package(default_visibility):
    package_visibility.extend(default_visibility)

  def rule(kind):
    def add(name, srcs=(), deps=(), data=(), **attributes):
      targets.append(
        Target(
          kind=kind,
          name=name,
          srcs=tuple(srcs),
          deps=tuple(dep.removeprefix("//").removeprefix(":") for dep in deps),
          data=tuple(data),
          testonly=bool(attributes.get("testonly")) or kind == "py_test",
          visibility=tuple(attributes.get("visibility", package_visibility)),
        )
      )

    return add

  rules = {kind: rule(kind) for kind in ("py_library", "py_test")}

  def load(label, *symbols):
    del label
    namespace.update({symbol: rules[symbol] for symbol in symbols})

  namespace = {
    "__builtins__": {},  # Starlark has few, and no import
    "glob": glob,
    "len": len,
    "licenses": lambda kinds: None,
    "load": load,
    "package": package,
  }
  source = (root / "BUILD").read_text()
  exec(compile(source, "BUILD", "exec"), namespace)
  return targets


def _imported_files(root: pathlib.Path, path: str) -> set[str]:
  """Files of this repository that the file at `path` imports anywhere."""

  def file_of(module):
    base = module.replace(".", "/")
    for candidate in (f"{base}.py", f"{base}/__init__.py"):
      if (root / candidate).is_file():
        return candidate
    return None

  modules = set()
  for node in ast.walk(ast.parse((root / path).read_text())):
    if isinstance(node, ast.Import):
      modules.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        # `from package import name` is either a module or what one defines.
        inner = f"{node.module}.{alias.name}"
        modules.add(inner if file_of(inner) else node.module)
  return {file for file in map(file_of, modules) if file}


def _cycle(targets: dict[str, Target]) -> list[str]:
  """Names of targets that depend on each other in a circle, if any."""
  done = set()

  def visit(name, path):
    if name in path:
      return path[path.index(name) :]
    if name in done or name not in targets:
      return []
    for dep in targets[name].deps:
      if found := visit(dep, [*path, name]):
        return found
    done.add(name)
    return []

  for name in targets:
    if found := visit(name, []):
      return found
  return []


def _runs_itself(source: str) -> bool:
  """True if a test file runs its tests when it is executed, as Bazel does."""
  return any(
    isinstance(node, ast.If)
    and ast.unparse(node.test) == "__name__ == '__main__'"
    and "main()" in ast.unparse(node)
    for node in ast.parse(source).body
  )


def problems(root: pathlib.Path) -> list[str]:
  """What is wrong with `root/BUILD`; empty if nothing is."""
  found = []
  listed = read_targets(root)
  targets = {target.name: target for target in listed}
  for name, uses in collections.Counter(t.name for t in listed).items():
    if uses > 1:
      found.append(f"{uses} targets are called {name}")

  owners = collections.defaultdict(list)
  for target in targets.values():
    for src in target.srcs:
      owners[src].append(target)
      if not (root / src).is_file():
        found.append(f"{target.name}: there is no {src}")

  def needed(srcs):
    return {
      owner.name
      for src in srcs
      if (root / src).is_file()
      for file in _imported_files(root, src)
      for owner in owners[file]
    }

  for path in sorted(_paths(root, [f"{_PACKAGE}/**/*.py"])):
    names = [t.name for t in owners[path] if t.kind == "py_library"]
    if len(names) != 1:
      found.append(f"{path} is in {len(names)} libraries: {names}")
  for path in sorted(_paths(root, ["tests/**/*_test.py"])):
    names = [t.name for t in owners[path] if t.kind == "py_test"]
    if names != [path.removesuffix(".py")]:
      found.append(
        f"{path} is in the tests {names}, not in one of its name; what it"
        f" imports is in {sorted(needed([path]))}"
      )
    if not _runs_itself((root / path).read_text()):
      found.append(f"{path} runs no test when it is executed")

  data = {file for target in targets.values() for file in target.data}
  for path in sorted(_paths(root, ["tests/**/*.json"]) - data):
    found.append(f"{path} is in no target's data")

  for path in sorted((root / _PACKAGE).iterdir()):
    if (path / "__init__.py").is_file() and path.name not in targets:
      found.append(f"the sub-package {path.name} has no target of its name")

  for target in targets.values():
    if not target.testonly and target.visibility != ("//visibility:public",):
      found.append(f"{target.name} is not public")
    for dep in target.deps:
      if dep not in targets:
        found.append(f"{target.name}: there is no target {dep}")
      elif targets[dep].testonly and not target.testonly:
        found.append(f"{target.name} depends on {dep}, which is testonly")
    imported = needed(target.srcs) - {target.name}
    for name in sorted(imported - set(target.deps)):
      found.append(f"{target.name}: {name} is imported but not in deps")
    for name in sorted(set(target.deps) - imported):
      found.append(f"{target.name}: {name} is in deps but not imported")
  if circle := _cycle(targets):
    found.append(f"the targets {circle} depend on each other")
  return found


_BUILD = """
  load("@rules_python//python:defs.bzl", "py_library", "py_test")
  package(default_visibility = ["//visibility:public"])
  py_library(name = "core", srcs = glob(["optax_stepsize/core/*.py"]))
  py_library(
      name = "room",
      srcs = glob(["optax_stepsize/room/*.py"]),
      deps = [":core"],
  )
  py_test(
      name = "tests/room_test",
      srcs = ["tests/room_test.py"],
      data = ["tests/room.json"],
      deps = [":room"],
  )
"""
_FILES = {
  "optax_stepsize/core/__init__.py": "",
  "optax_stepsize/room/__init__.py": "from optax_stepsize import core",
  "tests/room.json": "{}",
  "tests/room_test.py": """
    from optax_stepsize.room import thing
    if __name__ == "__main__":
      absltest.main()
  """,
}


def _case(
  name: str,
  message: str,
  old: str = "",
  new: str = "",
  files: dict[str, str] | None = None,
) -> dict[str, Any]:
  """`old` in _BUILD becomes `new`, `files` are added: `message` is expected."""
  return {
    "testcase_name": name,
    "message": message,
    "old": old,
    "new": new,
    "files": files or {},
  }


class BuildTest(parameterized.TestCase):
  def test_build_agrees_with_the_tree(self):
    self.assertEmpty("\n".join(problems(_ROOT)))

  def _problems(self, old="", new="", files=()):
    self.assertIn(old, _BUILD)
    root = pathlib.Path(self.create_tempdir().full_path)
    for path, text in {**_FILES, **dict(files)}.items():
      (root / path).parent.mkdir(parents=True, exist_ok=True)
      (root / path).write_text(textwrap.dedent(text))
    build = _BUILD.replace(old, new) if old else _BUILD
    (root / "BUILD").write_text(textwrap.dedent(build))
    return problems(root)

  def test_good_build_has_no_problems(self):
    self.assertEmpty(self._problems())

  @parameterized.named_parameters(
    _case(
      "missing_dep",
      "room: core is imported but not in deps",
      old='deps = [":core"]',
      new="deps = []",
    ),
    _case(
      "unused_dep",
      "tests/room_test: core is in deps but not imported",
      old='deps = [":room"]',
      new='deps = [":room", ":core"]',
    ),
    _case(
      "unknown_dep",
      "room: there is no target cove",
      old='deps = [":core"]',
      new='deps = [":core", ":cove"]',
    ),
    _case(
      "unlisted_file",
      "optax_stepsize/stray.py is in 0 libraries",
      files={"optax_stepsize/stray.py": ""},
    ),
    _case(
      "file_in_two_libraries",
      "optax_stepsize/core/__init__.py is in 2 libraries",
      old="optax_stepsize/room/*.py",
      new="optax_stepsize/*/*.py",
    ),
    _case(
      "sub_package_without_target",
      "the sub-package attic has no target",
      files={"optax_stepsize/attic/__init__.py": ""},
    ),
    _case(
      "unlisted_test",
      "tests/other_test.py is in the tests []",
      files={"tests/other_test.py": ""},
    ),
    _case(
      "test_that_does_not_run",
      "tests/room_test.py runs no test",
      files={
        "tests/room_test.py": "from optax_stepsize.room import thing",
      },
    ),
    _case(
      "missing_data",
      "tests/room.json is in no target's data",
      old='data = ["tests/room.json"],',
      new="",
    ),
    _case(
      "missing_source",
      "tests/room_test: there is no tests/rum_test.py",
      old='srcs = ["tests/room_test.py"]',
      new='srcs = ["tests/rum_test.py"]',
    ),
    _case(
      "private_library",
      "core is not public",
      old='name = "core",',
      new='name = "core", visibility = ["//visibility:private"],',
    ),
    _case(
      "circle",
      "depend on each other",
      files={
        "optax_stepsize/core/__init__.py": "from optax_stepsize import room",
      },
      old='glob(["optax_stepsize/core/*.py"])',
      new='glob(["optax_stepsize/core/*.py"]), deps = [":room"]',
    ),
    _case(
      "same_name_twice",
      "2 targets are called room",
      old='name = "core"',
      new='name = "room"',
    ),
    _case(
      "testonly_dep",
      "room depends on core, which is testonly",
      old='name = "core",',
      new='name = "core", testonly = True,',
    ),
  )
  def test_is_caught(self, message, old, new, files):
    found = self._problems(old, new, files)
    self.assertTrue(any(message in line for line in found), found)


if __name__ == "__main__":
  absltest.main()
