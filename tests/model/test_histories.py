"""Whatever users do, both makes of database show what plain dictionaries say, and the same as each other."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests import scale
from tests.model.histories import Histories

pytestmark = [pytest.mark.scales, pytest.mark.xdist_group("model")]


def test_histories() -> None:
    run = settings(max_examples=scale.times(4, 20), stateful_step_count=scale.times(8, 15), print_blob=True)
    run_state_machine_as_test(Histories, settings=run)
