# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rates and momenta of torch's OneCycleLR."""

from torch.optim import lr_scheduler

from tests.parity import torch_schedules

# torch's names for ours.
_NAMES = {"peak_value": "max_lr", "anneal": "anneal_strategy"}


def cases() -> list[dict]:
  """Both forms, two and three phases, and rises of all lengths."""

  def case(name, total_steps=10, extra=0, differs=None, **options):
    options = {"peak_value": 1.0, "total_steps": total_steps} | options
    result = {"name": name, "steps": total_steps + extra, "options": options}
    return result | ({} if differs is None else {"differs": differs})

  three = {"three_phase": True}
  factors = {"div_factor": 7.0, "final_div_factor": 300.0}
  momenta = {"base_momentum": 0.5, "max_momentum": 0.9}
  result = []
  for anneal in ("cos", "linear"):
    form = {"anneal": anneal}
    result += [
      case(f"{anneal}_defaults", **form),
      case(f"{anneal}_three_phase", **three, **form),
      case(f"{anneal}_options", 50, **factors, **momenta, **form),
      case(
        f"{anneal}_three_options", 50, **factors, **momenta, **three, **form
      ),
      case(f"{anneal}_half", 37, pct_start=0.5, **form),
      case(f"{anneal}_between_steps", 37, pct_start=0.21, **form),
      case(f"{anneal}_three_between", 37, pct_start=0.21, **three, **form),
      case(f"{anneal}_three_nearly_half", 37, pct_start=0.499, **three, **form),
      case(f"{anneal}_late", 40, pct_start=0.93, **form),
      case(f"{anneal}_less_than_a_step", 10, pct_start=0.05, **form),
      case(f"{anneal}_two_steps", 2, pct_start=0.8, **form),
      case(f"{anneal}_long", 700, pct_start=0.3, **form),
      case(
        f"{anneal}_after_the_last_step",
        extra=1,
        differs="One step after the last, the reference goes on past the end.",
        **form,
      ),
      case(
        f"{anneal}_one_step_rise",
        pct_start=0.1,
        differs="The reference divides by zero where the rise is one step.",
        **form,
      ),
    ]
  return result


def _run(case):
  options = {_NAMES.get(k, k): v for k, v in case["options"].items()}

  def make(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, **options)

  try:
    followed = torch_schedules.follow(make, case["steps"])
  except ZeroDivisionError as error:
    return case | {"error": str(error)}
  points = torch_schedules.descend(make, case["steps"])
  return case | followed | {"last_point": points[-1]}


def generate() -> dict[str, dict]:
  return {"one_cycle": torch_schedules.content(map(_run, cases()))}
