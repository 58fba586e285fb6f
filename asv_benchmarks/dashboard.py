"""The dashboard's commands: `python -m asv_benchmarks.dashboard --help`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from asv_benchmarks.pages import browser, figures, landing, offline
from dlkernels.extras import MissingExtraError

#: The benchmarks of a quick look, about two minutes: the three backends at small sizes in float64, and
#: numba's relative times.
QUICK = (
    r"time_call\('(python|numpy|numba)', (4|8|10), 'float64'\)",
    r"track_relative_time\('numba', (4|8|10), 'float64'\)",
)


def _asv(configuration: Path, command: str, *options: str) -> int:
    """Print a command of asv and run it; return its exit status."""
    arguments = ["-m", "asv", command, "--config", str(configuration), *options]
    print("+ python", *arguments, flush=True)
    return subprocess.run([sys.executable, *arguments], check=False).returncode


def quick_configuration(configuration: Path) -> Path:
    """Write the configuration of quick looks; return its path.

    The results and the site of quick looks lie apart from the results and the site of commits. In one folder,
    each of asv's graphs would show both, as curves of two environments.
    """
    conf = json.loads(configuration.read_text(encoding="utf-8"))
    folder = configuration.resolve().parent / ".asv" / "quick"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("repo", "benchmark_dir"):
        conf[name] = str((configuration.parent / conf[name]).resolve())
    conf |= {"results_dir": "results", "html_dir": "html", "env_dir": "env"}
    (folder / "asv.conf.json").write_text(json.dumps(conf, indent=1) + "\n", encoding="utf-8")
    return folder / "asv.conf.json"


def measure(configuration: Path, benchmarks: tuple[str, ...] = QUICK) -> int:
    """Measure the installed package; record the results for the newest commit."""
    figures.configuration(configuration)  # without asv: an error that says what to install
    chosen = [option for benchmark in benchmarks for option in ("--bench", benchmark)]
    return _asv(configuration, "machine", "--yes") or _asv(
        configuration, "run", "--quick", "--show-stderr", "--environment", f"existing:{sys.executable}",
        "--set-commit-hash", "HEAD", *chosen,
    )  # fmt: skip


def publish(configuration: Path) -> int:
    """Make the site of all results: a landing page, and asv's own pages, changed to need no internet."""
    conf = figures.configuration(configuration)
    found = figures.load(conf)
    status = _asv(configuration, "publish", "--no-pull")
    if status:
        return status
    folder = Path(conf.html_dir)
    offline.move_asv_page(folder, landing.ASV_PAGE)
    offline.drop_unmeasured(folder)
    (folder / "index.html").write_text(landing.render(found), encoding="utf-8")
    print(f"The site is in {folder}.")
    return 0


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve the folder as a site that only this machine can see; yield its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), functools.partial(Handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def _site(configuration: Path) -> Path:
    folder = Path(figures.configuration(configuration).html_dir)
    if not (folder / landing.ASV_PAGE).exists():
        raise FileNotFoundError(f"no site in {folder}: `python -m asv_benchmarks.dashboard publish` makes it")
    return folder


def serve(configuration: Path, port: int) -> int:
    folder = _site(configuration)
    try:
        with served(folder, port) as address:
            print(f"{address} (Ctrl-C ends it)", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    except OSError as error:
        raise OSError(f"port {port} can't be used ({error.strerror}): choose another with --port") from error
    return 0


def picture(configuration: Path, file: Path) -> int:
    """Save a picture of the top of the landing page."""
    with served(_site(configuration)) as address, browser.browser() as running:
        page = running.new_page(viewport={"width": 1000, "height": 1600}, device_scale_factor=0.75)
        page.goto(address)
        page.screenshot(path=str(file))
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m asv_benchmarks.dashboard", description=__doc__)
    parser.add_argument(
        "--config", type=Path, default=figures.CONFIGURATION, metavar="FILE", help="asv's configuration"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("quick", help="measure what is installed, in two minutes, and make a site of it")
    publisher = commands.add_parser("publish", help="make the site of all results of commits")
    server = commands.add_parser("serve", help="show a site, on this machine only")
    server.add_argument("--port", type=int, default=8080)
    taker = commands.add_parser("picture", help="save a picture of the landing page (needs Chromium)")
    taker.add_argument("file", type=Path)
    for command in (publisher, server, taker):
        command.add_argument("--quick", action="store_true", help="use the results of the last quick look")
    options = parser.parse_args(arguments)
    is_quick = options.command == "quick" or options.quick
    try:
        configuration = quick_configuration(options.config) if is_quick else options.config
        if options.command == "quick":
            return measure(configuration) or publish(configuration)
        if options.command == "publish":
            return publish(configuration)
        if options.command == "serve":
            return serve(configuration, options.port)
        return picture(configuration, options.file)
    except (OSError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
