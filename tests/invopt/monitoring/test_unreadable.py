from invopt.files import plain
from invopt.monitoring.signals import UNREADABLE
from invopt.monitoring.unreadable import unreadable_evidence


def test_the_evidence_is_one_fault_that_pages_and_concludes_nothing():
    dates = ("2024-01-01", "2024-01-07", "2024-01-07")
    found = unreadable_evidence("sources.prices: no file p.csv.", dates)
    [signal] = found.signals
    assert (signal.name, signal.fires, signal.pages) == (UNREADABLE, True, True)
    assert signal.text == "the data cannot be read: sources.prices: no file p.csv"
    assert not found.conclusive
    content = plain(found.as_dict())
    assert (content["num_series"], content["drift"], content["trend"]) == (0, [], [])
