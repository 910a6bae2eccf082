"""Projects into tables that others own: reads what the database has, judges the map (`projectors.mapping`), and writes.

Only a target with a map needs this. Whoever needs it imports it then, so that tables of ours cost no start-up for it.

`catalogue` reads what the database has, and `fitting` fits a map to it. `rows` makes raw rows of events, `expressions`
says how they become rows of the table, and `staging` stages these. `matching` finds which row is whose, and `writing`,
`leaving`, `uniques` and `comparing` work with it. `replay` decides what to write when.
"""

from .comparing import check, compare
from .fitting import DoesNotFit, check_fit, fit
from .replay import project, remove, strangers

__all__ = ["DoesNotFit", "check", "check_fit", "compare", "fit", "project", "remove", "strangers"]
