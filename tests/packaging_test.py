# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the house itself: names, arrows, imports, files, documents."""

import ast
import configparser
import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys
import types

from absl.testing import absltest
from absl.testing import parameterized

import optax_stepsize
from optax_stepsize import catalogue

_ROOT = pathlib.Path(__file__).parent.parent
_PACKAGE = _ROOT / "optax_stepsize"
_SOURCES = sorted(_PACKAGE.rglob("*.py"))

# The rooms that methods live in.
_FAMILIES = (
  "distance",
  "gradients",
  "iterates",
  "laws",
  "polyak",
  "probes",
  "schedules",
)
# What a part of the package may import of the others. A part is a sub-package,
# a module, or "" for the flat names.
_MAY_IMPORT = {
  "core": set(),
  **{family: {"core"} for family in _FAMILIES},
  "laws": {"core", "schedules"},  # what is planned are schedules
  "catalogue": {"core", *_FAMILIES},
  "linen": {"core"},
  "nnx": set(),
  "testing": {"core", "catalogue", *_FAMILIES},
  "compare": {"core", "catalogue", "linen", *_FAMILIES},
  "cost": {"core", "catalogue", "testing", *_FAMILIES},
  "commands": {"catalogue", "compare", "cost", *_FAMILIES},
  "cli": {"commands"},
  "": {"core", "catalogue", "testing", *_FAMILIES},
}


def _part(path: pathlib.Path) -> str:
  """The part of the package that a file belongs to."""
  first = path.relative_to(_PACKAGE).parts[0]
  return first.removesuffix(".py").removesuffix("__init__")


def _own_modules(path: pathlib.Path) -> set[str]:
  """Modules of this package that a file imports, anywhere in it."""
  modules = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      modules.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        base = _ROOT / inner.replace(".", "/")
        is_module = base.is_dir() or base.with_suffix(".py").is_file()
        modules.add(inner if is_module else node.module)
  return {m for m in modules if m.split(".")[0] == "optax_stepsize"}


def _public_names(module: types.ModuleType) -> dict[str, object]:
  return {
    name: value
    for name, value in vars(module).items()
    if not name.startswith("_") and not isinstance(value, types.ModuleType)
  }


def _rooms() -> dict[str, types.ModuleType]:
  return {
    name: importlib.import_module(f"optax_stepsize.{name}")
    for name in ("core", *_FAMILIES)
  }


def _public_functions() -> dict[str, types.FunctionType]:
  """Functions by their path: what a user calls, and what methods call."""
  functions = {}
  for name in sorted({_part(path) for path in _SOURCES}):
    module = importlib.import_module(f"optax_stepsize.{name}".rstrip("."))
    for key, value in _public_names(module).items():
      if inspect.isfunction(value):
        functions[f"{module.__name__}.{key}"] = value
  return functions


def _in_subprocess(code: str) -> subprocess.CompletedProcess[str]:
  return subprocess.run(
    [sys.executable, "-W", "error", "-c", code],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


class ImportTest(parameterized.TestCase):
  def test_import_loads_only_runtime_dependencies(self):
    code = """
import json, sys
import absl.flags, chex, jax, jax.numpy, numpy, optax
before = {name.split(".")[0] for name in sys.modules}
import optax_stepsize
after = {name.split(".")[0] for name in sys.modules}
print(json.dumps(sorted(after - before - sys.stdlib_module_names)))
"""
    result = _in_subprocess(code)
    self.assertEqual(result.returncode, 0, result.stderr)
    self.assertEqual(json.loads(result.stdout), ["optax_stepsize"])

  def test_import_starts_no_backend(self):
    # A program must be able to configure JAX after its imports.
    result = _in_subprocess(
      "import optax_stepsize, jax\n"
      "from jax._src import xla_bridge\n"
      "assert not xla_bridge.backends_are_initialized()"
    )
    self.assertEqual(result.returncode, 0, result.stderr)

  @parameterized.parameters("", ".catalogue", ".testing", ".compare", ".cli")
  def test_import_defines_no_flag(self, module):
    result = _in_subprocess(
      "from absl import flags\n"
      "import absl.logging, absl.app, absl.testing.absltest\n"
      "import chex, optax, jax\n"
      "before = set(flags.FLAGS)\n"
      f"import optax_stepsize{module}\n"
      "assert set(flags.FLAGS) == before, set(flags.FLAGS) - before"
    )
    self.assertEqual(result.returncode, 0, result.stderr)

  def test_arrows_go_down_only(self):
    wrong = []
    for path in _SOURCES:
      part = _part(path)
      self.assertIn(part, _MAY_IMPORT, "a new part of the package: add it")
      for module in _own_modules(path):
        target = module.removeprefix("optax_stepsize").lstrip(".")
        imported, _, inner = target.partition(".")
        if imported == part:
          continue
        if imported not in _MAY_IMPORT[part]:
          wrong.append(f"{path.relative_to(_ROOT)} imports {module}")
        if inner.startswith("_"):
          wrong.append(f"{path.relative_to(_ROOT)} uses the private {module}")
    self.assertEmpty(wrong)


class NamesTest(parameterized.TestCase):
  def test_every_public_name_has_one_home(self):
    homes = {}
    for room, module in _rooms().items():
      for name in _public_names(module):
        homes.setdefault(name, []).append(room)
    several = {name: rooms for name, rooms in homes.items() if len(rooms) > 1}
    self.assertEmpty(several)

  def test_flat_names_are_the_objects_of_their_homes(self):
    rooms = _rooms() | {
      "catalogue": importlib.import_module("optax_stepsize.catalogue")
    }
    for name, value in _public_names(optax_stepsize).items():
      homes = [room for room, m in rooms.items() if hasattr(m, name)]
      self.assertLen(homes, 1, name)
      self.assertIs(getattr(rooms[homes[0]], name), value, name)

  @parameterized.parameters(*_FAMILIES)
  def test_every_name_of_a_family_is_flat(self, family):
    names = _public_names(_rooms()[family])
    self.assertEmpty(set(names) - set(_public_names(optax_stepsize)))

  def test_a_family_exports_what_it_defines(self):
    # Not something of NumPy or of another room that a module happens to use.
    for family in _FAMILIES:
      for name, value in _public_names(_rooms()[family]).items():
        if inspect.isfunction(value) or inspect.isclass(value):
          self.assertStartsWith(
            value.__module__, f"optax_stepsize.{family}._", name
          )

  def test_public_functions_are_annotated(self):
    for path, function in _public_functions().items():
      signature = inspect.signature(function)
      with self.subTest(path):
        self.assertIsNot(
          signature.return_annotation, inspect.Signature.empty, "returns"
        )
        for parameter in signature.parameters.values():
          self.assertIsNot(
            parameter.annotation, inspect.Parameter.empty, parameter.name
          )

  def test_public_functions_name_all_their_arguments(self):
    for name, value in _public_names(optax_stepsize).items():
      if inspect.isfunction(value):
        kinds = {p.kind for p in inspect.signature(value).parameters.values()}
        with self.subTest(name):
          self.assertNoCommonElements(
            kinds,
            {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD},
          )

  def test_public_functions_have_an_example(self):
    for name, value in _public_names(optax_stepsize).items():
      # A building block is shown by the ready-made method that it is part of.
      if inspect.isfunction(value) and not name.startswith("scale_by_"):
        with self.subTest(name):
          self.assertIn("  >>> ", inspect.getdoc(value) or "")

  @parameterized.parameters(*catalogue.ROWS)
  def test_methods_follow_the_docstring_template(self, method):
    row = catalogue.ROWS[method]
    doc = inspect.getdoc(row.factory) or ""
    headings = ["Args", "Returns", "Raises", "Example", "References"]
    # Those need the step count, or nothing, and have no state.
    if row.kind not in ("schedule", "tool"):
      headings += ["Needs", "State"]
    for heading in headings:
      self.assertRegex(doc, rf"(?m)^{heading}:")
    if row.kind == "transformation":
      self.assertRegex(doc, r"(?m)^ +(>>>|\.\.\.) +assert ")


class FilesTest(absltest.TestCase):
  def test_no_file_is_over_600_lines(self):
    long = {
      path.relative_to(_ROOT).as_posix(): lines
      for path in _SOURCES
      if (lines := len(path.read_text().splitlines())) > 600
    }
    self.assertEmpty(long)

  def test_every_file_has_the_header(self):
    header = (
      "# Copyright 2026 The optax_stepsize Authors.\n"
      "# SPDX-License-Identifier: Apache-2.0\n"
    )
    files = [
      path
      for folder in (".ci", "benchmarks", "examples", "optax_stepsize", "tests")
      for path in (_ROOT / folder).rglob("*.py")
    ]
    # Bazel adds empty __init__.py files, which have nothing to protect.
    texts = {path: text for path in files if (text := path.read_text())}
    bare = [path for path in texts if not texts[path].startswith(header)]
    self.assertEmpty(bare)

  def test_package_is_typed(self):
    self.assertTrue((_PACKAGE / "py.typed").is_file())

  def test_console_script_exists(self):
    config = configparser.ConfigParser()
    config.read(_ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"].split("=")
    module, _, function = scripts[1].strip().partition(":")
    self.assertTrue(
      callable(getattr(importlib.import_module(module), function))
    )

  def test_changelog_has_this_release(self):
    text = (_ROOT / "CHANGELOG.md").read_text()
    release = re.search(
      rf"^## \[{re.escape(optax_stepsize.__version__)}\](.*?)(^## |\Z)",
      text,
      re.MULTILINE | re.DOTALL,
    )
    self.assertIsNotNone(release)
    self.assertIn("\n### Numerics\n", release[1])
    self.assertIn("\n### State\n", release[1])


class ReadmeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self._text = (_ROOT / "README.md").read_text()

  def test_python_blocks_run(self):
    # In order and in one namespace, as a reader would paste them.
    blocks = re.findall(r"^```python\n(.*?)^```$", self._text, re.M | re.S)
    self.assertNotEmpty(blocks)
    result = _in_subprocess("\n".join(blocks))
    self.assertEqual(result.returncode, 0, result.stderr)

  def test_links_lead_somewhere(self):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", self._text):
      if "://" not in target:
        self.assertTrue((_ROOT / target).exists(), target)


if __name__ == "__main__":
  absltest.main()
