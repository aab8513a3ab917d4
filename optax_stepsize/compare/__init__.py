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
from optax_stepsize.compare._plots import write_picture as write_picture
from optax_stepsize.compare._report import check_output_dir as check_output_dir
from optax_stepsize.compare._report import table as table
from optax_stepsize.compare._report import write_csv as write_csv
from optax_stepsize.compare._results import Comparison as Comparison
from optax_stepsize.compare._results import Curves as Curves
from optax_stepsize.compare._results import TableRow as TableRow
from optax_stepsize.compare._runner import compare as compare
from optax_stepsize.compare._runner import select_entries as select_entries
from optax_stepsize.compare._workloads import digits_mlp as digits_mlp
from optax_stepsize.compare._workloads import Workload as Workload
