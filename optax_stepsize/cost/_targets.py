# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Devices to compile for, most of which need not be there."""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import importlib.util
import os
from typing import Any

import jax
from jax.experimental import topologies

# The part of XLA's GpuTargetConfigProto that the compiler asks for.
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84942979072
  shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
# Devices -> the slice of TPU v5e that has as many.
_V5E = {4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8"}


class MissingCompilerError(ImportError):
  """The compiler for a target is not installed."""


@dataclasses.dataclass(frozen=True)
class Target:
  """A kind of device.

  Attributes:
    name: Name on the command line.
    title: Name in headings.
    extra: What to install for it, if anything.
    modules: Modules of which one has to be there, if any.
    find: From a number to as many devices.
  """

  name: str
  title: str
  extra: str
  modules: tuple[str, ...]
  find: Callable[[int], list[Any]]

  def require(self) -> None:
    """Checks that the compiler is installed, without loading it.

    Raises:
      MissingCompilerError: If not; says how to install it.
    """
    if self.modules and not any(map(_installed, self.modules)):
      raise MissingCompilerError(
        f"the compiler for {self.name} is not installed: pip install"
        f' "optax-stepsize[{self.extra}]"'
      )

  def devices(self, number: int) -> list[Any]:
    """Devices to compile for.

    Args:
      number: How many.

    Raises:
      MissingCompilerError: If the compiler is not installed.
      ValueError: If there cannot be so many.
    """
    self.require()
    try:
      found = self.find(number)
    except (RuntimeError, NotImplementedError) as error:
      raise ValueError(
        f"{number} devices for {self.name} cannot be had: {error}"
      ) from error
    return found[:number]


def _installed(module: str) -> bool:
  try:
    return importlib.util.find_spec(module) is not None
  except ModuleNotFoundError:  # nor is the package that it would be in
    return False


def _cpus(number: int) -> list[Any]:
  found = jax.devices("cpu")
  if len(found) < number:
    raise ValueError(
      f"{number} CPU devices are needed, there are {len(found)}. Fix: set"
      f" XLA_FLAGS=--xla_force_host_platform_device_count={number} before JAX"
      " computes anything."
    )
  return list(found)


def _h100s(number: int) -> list[Any]:
  return topologies.get_topology_desc(
    platform="cuda",
    topology_name="h100",
    topology=f"1x1x{number}",  # partitions x hosts x GPUs of a host
    target_config=_H100,
  ).devices


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
  """Environment variables, where they are not set; afterwards as before."""
  added = {k: v for k, v in values.items() if k not in os.environ}
  os.environ.update(added)
  try:
    yield
  finally:
    for name in added:
      del os.environ[name]


def _v5es(number: int) -> list[Any]:
  sizes = [size for size in _V5E if size >= number]
  if not sizes:
    raise ValueError(f"at most {max(_V5E)} devices of tpu_v5e, got {number}")
  # Else it asks the network which machine of a cloud this is, and waits.
  with _environment(
    TPU_SKIP_MDS_QUERY="1",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_ACCELERATOR_TYPE=f"v5litepod-{sizes[0]}",
  ):
    return topologies.get_topology_desc(
      f"v5e:{_V5E[sizes[0]]}", "tpu", chips_per_host_bounds=(2, 2, 1)
    ).devices


TARGETS: dict[str, Target] = {
  target.name: target
  for target in (
    Target("cpu", "CPU", "", (), _cpus),
    Target(
      "h100",
      "NVIDIA H100, compiled ahead of time",
      "aot",
      ("jax_plugins.xla_cuda12", "jax_plugins.xla_cuda13"),
      _h100s,
    ),
    Target(
      "tpu_v5e",
      "TPU v5e, compiled ahead of time",
      "aot-tpu",
      ("libtpu",),
      _v5es,
    ),
  )
}


def get_target(name: str) -> Target:
  """The target of a name.

  Raises:
    ValueError: If there is none; offers those that there are.
  """
  if name not in TARGETS:
    raise ValueError(
      f"target must be one of {', '.join(TARGETS)}; got {name!r}"
    )
  return TARGETS[name]
