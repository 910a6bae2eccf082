"""Projects into tables that others own: reads what the database has, judges the map (`projectors.mapping`), and writes.

Only a target with a map needs this. Whoever needs it imports it then, so that tables of ours cost no start-up for it.
"""

from .fitting import DoesNotFit, fit, judge
from .replay import MappedReplay, check_fit, check_mapped, compare_mapped, remove_mapped, strangers

__all__ = [
    "DoesNotFit",
    "MappedReplay",
    "check_fit",
    "check_mapped",
    "compare_mapped",
    "fit",
    "judge",
    "remove_mapped",
    "strangers",
]
