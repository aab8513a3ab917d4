# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is trained in a race: one file for each.

Their targets were set before any other method was run on them. AdamW and SGD
with momentum, both with a cosine schedule, ran for the recommended steps with
the rates 3e-3 and 0.1 times 1/64, 1/16 ... 64 (the language model: 1/16 ... 16)
and five seeds (the language model: three). The target is the worse of their two
best medians of the final evaluation loss, plus one per cent of the way down to
it from the start. So tuned baselines reach it before their last step, and runs
with a rate that is far off do not. With `name` one of `WORKLOADS`:

    workload = compare.workload(name)
    compare.compare(
      ["adamw_cosine", "sgd_cosine"],
      workload=workload, steps=workload.steps, values=7, seeds=5,
    )

| workload        | AdamW  | SGD    | start | target |
| --------------- | ------ | ------ | ----- | ------ |
| logistic        | .0966  | .0966  | .71   | .103   |
| digits_mlp      | .0940  | .112   | 2.31  | .134   |
| digits_cnn      | .0951  | .122   | 2.32  | .144   |
| mnist1d         | .146   | .137   | 2.36  | .168   |
| byte_lm         | 2.37   | 2.50   | 5.41  | 2.53   |
| noisy_quadratic | 4.2e-4 | 6.3e-4 | .61   | 6.8e-3 |
| river_valley    | 4.7e-5 | 5.4e-5 | .0047 | 1.0e-4 |
"""

from optax_stepsize.compare.workloads._base import Workload as Workload
from optax_stepsize.compare.workloads._byte_lm import byte_lm as byte_lm
from optax_stepsize.compare.workloads._byte_lm import (
  DifferentTextWarning as DifferentTextWarning,
)
from optax_stepsize.compare.workloads._digits_cnn import (
  digits_cnn as digits_cnn,
)
from optax_stepsize.compare.workloads._digits_mlp import (
  digits_mlp as digits_mlp,
)
from optax_stepsize.compare.workloads._logistic import logistic as logistic
from optax_stepsize.compare.workloads._mnist1d import mnist1d as mnist1d
from optax_stepsize.compare.workloads._noisy_quadratic import (
  noisy_quadratic as noisy_quadratic,
)
from optax_stepsize.compare.workloads._river_valley import (
  river_valley as river_valley,
)
