# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""How every test process starts: devices, strictness, absl flags."""

import os
import shlex

# Before the first import of JAX: the backend reads these when it starts.
_DEVICES = "--xla_force_host_platform_device_count=8"
os.environ["XLA_FLAGS"] = (
  f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}".strip()
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")  # no test opens a window
if "JAX_COMPILATION_CACHE_DIR" in os.environ:
  # The suite is made of many small programs: by default JAX stores none that
  # compiles in less than a second.
  os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
  os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from absl import flags
import jax
import pytest

# In this process only. Programs that a test starts see what a user sees.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_addoption(parser):
  parser.addoption(
    "--absl",
    action="append",
    default=[],
    help="absl flags for the test modules, such as --absl=--steps=4",
  )
  parser.addoption(
    "--no-skips",
    action="store_true",
    help="fail if a test is skipped: for runs that must have everything",
  )


def pytest_collection_finish(session):
  # Not earlier: the flags of a test module are defined when it is imported.
  given = [
    flag
    for option in session.config.getoption("--absl")
    for flag in shlex.split(option)
  ]
  if given or not flags.FLAGS.is_parsed():
    flags.FLAGS(["pytest", *given])


@pytest.fixture(autouse=True, scope="module")
def _forget_programs():
  """Frees the programs that a module has compiled.

  Each takes several of the memory mappings that Linux grants a process, 65,530
  by default. The suite compiles so many that JAX would crash without.
  """
  yield
  jax.clear_caches()


def pytest_sessionfinish(session, exitstatus):
  del exitstatus
  reporter = session.config.pluginmanager.get_plugin("terminalreporter")
  if (
    session.config.getoption("--no-skips")
    and reporter is not None  # a worker of pytest-xdist has none
    and reporter.stats.get("skipped")
    and session.exitstatus == pytest.ExitCode.OK
  ):
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
