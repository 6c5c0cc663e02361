"""For mkdocs: pages that are files of the repository's root, which stand there once and not a second time."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES = {"security.md": "SECURITY.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the root's files under their names here."""
    from mkdocs.structure.files import File

    for page, source in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    return files
