# Copyright 2026 The optax_stepsize Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fair races of step-size methods: same steps, same seeds, same tuning budget.

`optax-stepsize compare` is the command line of this. It needs the extra
`compare`: `pip install "optax-stepsize[compare]"`.
"""

from optax_stepsize.compare._entries import BASELINES as BASELINES
from optax_stepsize.compare._entries import DEFAULT_METHODS as DEFAULT_METHODS
from optax_stepsize.compare._entries import Entry as Entry
from optax_stepsize.compare._entries import make_entry as make_entry
from optax_stepsize.compare._extras import (
  MissingExtraError as MissingExtraError,
)
from optax_stepsize.compare._extras import require as require
from optax_stepsize.compare._files import check_output_dir as check_output_dir
from optax_stepsize.compare._files import write_atomically as write_atomically
from optax_stepsize.compare._loading import load_object as load_object
from optax_stepsize.compare._page import write_page as write_page
from optax_stepsize.compare._plots import write_picture as write_picture
from optax_stepsize.compare._plots import write_profile as write_profile
from optax_stepsize.compare._race import compare as compare
from optax_stepsize.compare._race import DEFAULT_STEPS as DEFAULT_STEPS
from optax_stepsize.compare._race import DEFAULT_WORKLOADS as DEFAULT_WORKLOADS
from optax_stepsize.compare._race import Heat as Heat
from optax_stepsize.compare._race import prepare as prepare
from optax_stepsize.compare._race import Progress as Progress
from optax_stepsize.compare._race import race as race
from optax_stepsize.compare._race import run_heats as run_heats
from optax_stepsize.compare._race import select_entries as select_entries
from optax_stepsize.compare._report import legend as legend
from optax_stepsize.compare._report import profile_table as profile_table
from optax_stepsize.compare._report import table as table
from optax_stepsize.compare._report import write_csv as write_csv
from optax_stepsize.compare._results import Comparison as Comparison
from optax_stepsize.compare._results import Curves as Curves
from optax_stepsize.compare._results import Layout as Layout
from optax_stepsize.compare._results import Point as Point
from optax_stepsize.compare._results import Race as Race
from optax_stepsize.compare._results import TableRow as TableRow
from optax_stepsize.compare._runner import LAYOUTS as LAYOUTS
from optax_stepsize.compare._store import Store as Store
from optax_stepsize.compare._workloads import load as load
from optax_stepsize.compare._workloads import validate as validate
from optax_stepsize.compare._workloads import workload as workload
from optax_stepsize.compare._workloads import WORKLOADS as WORKLOADS
from optax_stepsize.compare.workloads import byte_lm as byte_lm
from optax_stepsize.compare.workloads import (
  DifferentTextWarning as DifferentTextWarning,
)
from optax_stepsize.compare.workloads import digits_cnn as digits_cnn
from optax_stepsize.compare.workloads import digits_mlp as digits_mlp
from optax_stepsize.compare.workloads import logistic as logistic
from optax_stepsize.compare.workloads import mnist1d as mnist1d
from optax_stepsize.compare.workloads import noisy_quadratic as noisy_quadratic
from optax_stepsize.compare.workloads import river_valley as river_valley
from optax_stepsize.compare.workloads import Workload as Workload
