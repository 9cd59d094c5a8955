"""Lead times as they were."""

import numpy as np
import pytest

from invopt.errors import ContractError
from invopt.inventory.lead_times import LeadTimes


def test_observed_lead_times_become_shares():
    found = LeadTimes.observed(np.array([2.0, 3, 2, 5]))
    assert found.periods.tolist() == [2, 3, 5]
    assert found.shares.tolist() == [0.5, 0.25, 0.25]
    assert found.mean == 3


@pytest.mark.parametrize("bad", [[], [1, np.nan], [-1.0], [1.5]])
def test_lead_times_that_cannot_be_are_refused(bad):
    with pytest.raises(ContractError, match="be whole and at least 0"):
        LeadTimes.observed(np.array(bad, float))
