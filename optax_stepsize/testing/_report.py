# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a check says: which properties hold, fail, or do not apply."""

import dataclasses


class Failure(Exception):
  """Raised by a property that does not hold; the text says what happened."""


class NotApplicable(Exception):
  """Raised by a property that asks for what the subject or machine lacks."""


class Advice(Exception):
  """Raised where a rule of this library, but not of Optax, is broken."""


@dataclasses.dataclass(frozen=True)
class Report:
  """Outcome of `check`; true when nothing failed.

  Attributes:
    name: Name of what was checked.
    passed: Properties that hold.
    failed: Property -> what happened.
    not_applicable: Property -> why it was not checked.
    advisory: Property -> which rule of this library is broken that Optax does
      not promise to keep. For methods of this library these are failures.
    seconds: Property -> time that its check took.
  """

  name: str
  passed: tuple[str, ...]
  failed: dict[str, str]
  not_applicable: dict[str, str]
  advisory: dict[str, str]
  seconds: dict[str, float]

  def __bool__(self) -> bool:
    return not self.failed

  def __str__(self) -> str:
    verdict = "passes" if self else f"fails {len(self.failed)} properties"
    total = sum(self.seconds.values())
    lines = [f"{self.name}: {verdict} ({len(self.passed)} hold, {total:.1f} s)"]
    for title, reasons in (
      ("FAILED", self.failed),
      ("advice", self.advisory),
      ("not applicable", self.not_applicable),
    ):
      for name, reason in reasons.items():
        lines.append(f"  {title:14}  {name:14}  {reason}")
    if self.passed:
      lines.append(f"  {'holds':14}  {', '.join(self.passed)}")
    return "\n".join(lines)
