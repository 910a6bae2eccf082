"""Projects into tables that others own: reads what the database has, judges the map (`projectors.mapping`), and writes.

Only a target with a map needs this. Whoever needs it imports it then, so that tables of ours cost no start-up for it.

First `catalogue` reads what the database has, and `fitting` makes `kinds` of the map, with `judging` for what cannot
work. Then `replay` decides for each kind what is to be written. `rows` makes raw rows of events, `expressions` computes
from them what the columns hold, and `staging` puts that into a temporary table. `matching` says which row is whose, and
`identifying` gives each its id. With these, `writing`, `uniques` and `leaving` bring the table to the state, and
`comparing` says where it differs.
"""

from .comparing import check, compare
from .fitting import DoesNotFit, check_fit, fit, fit_partly
from .replay import project, remove, strangers

__all__ = ["DoesNotFit", "check", "check_fit", "compare", "fit", "fit_partly", "project", "remove", "strangers"]
