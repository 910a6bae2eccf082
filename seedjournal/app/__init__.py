"""The commands' use cases: plain functions from choices to result documents, the same that `--json` prints.

Nothing here prints; progress goes to the `tell` that the caller gives.
"""

from .checking import migrate, verify
from .comparing import Comparison, diff
from .documents import FORMAT, window_of
from .forgetting import ForgetChoice, forget
from .looking import log, names_run, registry, show_entity, show_run
from .place import Place
from .projecting import project
from .recording import RecordChoice, record

__all__ = [
    "FORMAT",
    "Comparison",
    "ForgetChoice",
    "Place",
    "RecordChoice",
    "diff",
    "forget",
    "log",
    "migrate",
    "names_run",
    "project",
    "record",
    "registry",
    "show_entity",
    "show_run",
    "verify",
    "window_of",
]
