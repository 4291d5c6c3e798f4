"""Runs benchmarks: all of them, or the one named.

python -m benchmarks
python -m benchmarks capture --json
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks import NAMES, Figure
from benchmarks.measure import use_two_cores


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast the workbench is on this machine.")
    parser.add_argument("name", nargs="?", choices=NAMES, help="the benchmark to run; all of them where none is named")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON object instead of a table")
    options = parser.parse_args()
    # Ended from outside, it still takes its server and folder with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    use_two_cores()
    names = [options.name] if options.name else NAMES
    results = {name: _run(name, quiet=options.json) for name in names}
    if options.json:
        print(json.dumps(results[options.name] if options.name else results, indent=2))


def _run(name: str, *, quiet: bool) -> Mapping[str, float]:
    benchmark = importlib.import_module(f"benchmarks.{name}")
    with Console(stderr=True).status(f"{benchmark.TITLE} …"):
        measured: Mapping[str, float] = benchmark.run()
    figures = {key: float(f"{value:.4g}") for key, value in measured.items()}
    if not quiet:
        Console().print(_table(benchmark.TITLE, benchmark.FIGURES, figures))
    return figures


def _table(title: str, meanings: Mapping[str, Figure], figures: Mapping[str, float]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("promised", justify="right", no_wrap=True)
    table.add_column("what it is")
    for name, value in figures.items():
        figure = meanings[name]
        style = "red" if figure.missed_by(value) else None
        table.add_row(name, f"{value:g} {figure.unit}".rstrip(), figure.promised(), figure.meaning, style=style)
    return table


if __name__ == "__main__":
    main()
