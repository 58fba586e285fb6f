"""What PyPI shows of a release: the README, whose links to files of this project would lead nowhere there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Links(MetadataHookInterface):
    """Let the README's links lead to the repository that DLKERNELS_REPOSITORY names, if it names one.

    The workflow of a release sets it, for instance to https://github.com/OWNER/dlkernels. The links lead to
    the files as they were at the version's tag.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if address := os.environ.get("DLKERNELS_REPOSITORY"):
            tag = f"v{metadata['version']}"
            text = re.sub(r"(!\[[^]]*\])\((?!https?:)", rf"\1({address}/raw/{tag}/", text)
            text = re.sub(r"(\[[^]]*\])\((?!https?:|#)", rf"\1({address}/blob/{tag}/", text)
            metadata["urls"] = {
                "Repository": address,
                "Changelog": f"{address}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
