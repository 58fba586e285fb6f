"""Did something become slower? `python -m asv_benchmarks.gate` compares relative times with stored ones.

asv_benchmarks/README.md says what a relative time is. Nothing else is compared, because times vary by half
on a shared machine. Exit status: 0 if nothing became slower, 1 if something did, 2 if there are no results,
or no asv, 3 if no times are stored for this kind of processor. Run it on the machine that measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from asv_benchmarks.dashboard import quick_configuration
from asv_benchmarks.pages import figures
from dlkernels import info
from dlkernels.extras import MissingExtraError

STORED = Path(__file__).resolve().parent / "relative_times.json"
#: A relative time is too slow if it is more than so many times the stored one.
LIMIT = 1.3
_SUFFIX = ".track_relative_time"


def measured(found: figures.Figures) -> dict[str, float]:
    """Return the relative times of the compiled kernels, by benchmark and parameters."""
    return {
        f"{name.removesuffix(_SUFFIX)}({', '.join(map(str, key[1:]))})": value
        for name, benchmark in found.benchmarks.items()
        if name.endswith(_SUFFIX)
        for key, value in benchmark.values.items()
        if key[0] == "numba"
    }


def slower(stored: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """Return the benchmarks that take more than LIMIT times as long as stored, with ratios, worst first."""
    ratios = {name: value / stored[name] for name, value in now.items() if name in stored}
    return dict(sorted(((n, r) for n, r in ratios.items() if r > LIMIT), key=lambda item: -item[1]))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.gate", description=__doc__)
    parser.add_argument(
        "--config", type=Path, default=figures.CONFIGURATION, metavar="FILE", help="asv's configuration"
    )
    parser.add_argument("--quick", action="store_true", help="compare what `dashboard quick` measured")
    parser.add_argument("--stored", type=Path, default=STORED, metavar="FILE", help="what to compare with")
    parser.add_argument("--update", action="store_true", help="store the figures that there are now")
    options = parser.parse_args(arguments)
    try:
        configuration = quick_configuration(options.config) if options.quick else options.config
        found = figures.load(figures.configuration(configuration))
    except (FileNotFoundError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # asv's name of a processor is the hypervisor's word, such as "AMD EPYC", for several kinds of machine.
    now, processor = measured(found), info.processor()
    everything = json.loads(options.stored.read_text(encoding="utf-8")) if options.stored.exists() else {}
    # Ratios are stored for each processor, because another has other vector registers and caches.
    stored = everything.get(processor, {})
    if options.update:
        everything[processor] = stored | {name: float(f"{value:.4g}") for name, value in now.items()}
        options.stored.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{len(now)} relative times stored for {processor}.")
        return 0
    common = stored.keys() & now.keys()
    if not common:
        print(f"error: no relative times are stored for {processor}: use --update", file=sys.stderr)
        return 3
    worse = slower(stored, now)
    for name, ratio in worse.items():
        print(f"{name}: relative time {stored[name]:.3g} -> {now[name]:.3g}, {ratio:.2f} times as long")
    print(f"{len(common)} compared, {len(worse)} slower than {LIMIT} times what is stored.")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
