"""Print constraints for pip: the oldest versions that pyproject.toml allows.

The tools of the extras `docs`, `test`, `dev` and `peers` aren't among them: nobody needs old ones.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

TOOLS = {"docs", "test", "dev", "peers"}

text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
extras = project["optional-dependencies"]
needed = [*project["dependencies"], *(line for name in extras.keys() - TOOLS for line in extras[name])]
oldest = {found[1]: found[2] for line in needed if (found := re.match(r"([\w-]+)\S*?>=([\d.]+)", line))}
for name, version in sorted(oldest.items()):
    print(f"{name}=={version}.*")
