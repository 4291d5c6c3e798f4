"""Where no fork server gives a copy of itself: the run's processes, with all they need to import ahead of them."""

from __future__ import annotations

import importlib
import os
import sys

from workbench.kernels import preload

preload.load()
status = importlib.import_module("workbench.execution.supervisor").main()
sys.stderr.flush()
os._exit(status)
