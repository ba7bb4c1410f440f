"""The command line that every benchmark of several figures has."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

Scale = TypeVar("Scale", bound=Any)


@dataclass(frozen=True, slots=True)
class Options(Generic[Scale]):
    """Which figures to measure, on what numbers, and whether docs/benchmarks.md takes them."""

    names: list[str]
    scale: Scale
    is_written: bool


def parse(prog: str, description: str | None, figures: Sequence[str], quick: Scale, full: Scale) -> Options[Scale]:
    """Read the command line; ends the program where `--write` would keep numbers that are too small."""
    parser = argparse.ArgumentParser(prog=prog, description=(description or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(figures), default=list(figures))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it works")
    parser.add_argument("--write", action="store_true", help="write the results into docs/benchmarks.md")
    given = parser.parse_args()
    scale = quick if given.quick else full
    if given.repeats:
        scale = replace(scale, repeats=given.repeats)
    if given.write and (given.quick or scale.repeats < full.repeats):
        parser.error(f"--write keeps full numbers of at least {full.repeats} repeats only")
    return Options(given.only, scale, given.write)
