# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rates of LRBench's policies, and of policies one after another.

LRBench is in no package index: the repository github.com/git-disl/LRBench must
be on the path.
"""

import warnings

from tests.parity import torch_schedules

with warnings.catch_warnings():
  # A pattern that is not a raw string.
  warnings.simplefilter("ignore")
  from LRBench.lr import LRfunctions
  from LRBench.lr import piecewiseLR

AUTHORS = "git-disl/LRBench at c1e541b48bf1b48a34f401dbbe7db96c2c6de7a4"
STEPS = 45
_WAVES = ("TRI", "DTRI", "SIN", "DSIN", "COS", "UPCOS")
_RESTARTS = ("RSW", "SINRSW", "COSRSW")


def cases() -> list[dict]:
  """Every policy, and three composites."""

  def case(name, **options):
    return {"name": name.lower(), "options": {"name": name, **options}}

  def composite(name, boundaries, *policies):
    parts = {options["name"]: options for options in policies}
    return {"name": name, "boundaries": boundaries, "policies": parts}

  bounds = {"k0": 0.1, "k1": 0.5, "l": 6}
  result = [
    case("FIX", k0=0.1),
    case("STEP", k0=0.1, gamma=0.5, l=4),
    case("NSTEP", k0=0.1, gamma=0.5, l=[3, 5, 17]),
    case("EXP", k0=0.1, gamma=0.95),
    case("INV", k0=0.1, gamma=0.1, p=0.75),
    case("POLY", k0=0.01, k1=0.1, p=1.7, l=STEPS),
    case("SIG", k0=0.1, gamma=-0.5, l=9),
  ]
  for wave in _WAVES + _RESTARTS:
    result += [
      case(wave, **bounds),
      case(f"{wave}2", **bounds),
      case(f"{wave}EXP", gamma=0.9, **bounds),
    ]
  triangles = {"name": "TRI2", "k0": 0.1, "k1": 0.5, "l": 3}
  decay = {"name": "EXP", "k0": 0.05, "gamma": 0.8}
  sine = {"name": "DSINEXP", "k0": 0.0, "k1": 0.3, "gamma": 0.97, "l": 5}
  drops = {"name": "NSTEP", "k0": 0.1, "gamma": 0.5, "l": [2, 7]}
  return [
    *result,
    composite("composite_two", [8], triangles, decay),
    composite("composite_three", [1, 25], decay, sine, drops),
    composite("composite_one", [], sine),
  ]


def _theirs(options):
  return {"lrPolicy": options["name"]} | {
    key: value for key, value in options.items() if key != "name"
  }


def _run(case):
  if "policies" in case:
    parameters = [_theirs(options) for options in case["policies"].values()]
    rate = piecewiseLR.piecewiseLR(case["boundaries"], parameters).getLR
  else:
    rate = LRfunctions.getLRFunction(**_theirs(case["options"]))
  return case | {"steps": STEPS, "rates": [rate(t) for t in range(STEPS)]}


def generate() -> dict[str, dict]:
  content = torch_schedules.content(map(_run, cases()))
  return {"policies": content | {"reference": AUTHORS}}
