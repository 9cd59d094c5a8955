"""`invopt check-data`: a data set read and accounted for, without training."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from invopt.cleaning import clean, whole_of
from invopt.config import CleaningConfig, DataConfig
from invopt.errors import ConfigError, InvalidInputError
from invopt.files import plain, replacing_file, write_json
from invopt.panel import iter_panels
from invopt.sources import (
    DataProfile,
    account_of,
    check_data,
    read_dataset,
    unreadable_account,
)
from invopt.sources import Mapping as DataMapping
from invopt.types import Notify
from serving.stores.snapshots import Quality

ACCOUNT, QUARANTINE, PAGE = "account.json", "quarantine.parquet", "index.html"


@dataclass(frozen=True)
class Request:
    """What is to be checked.

    Attributes:
        mapping: Of the data set.
        data_dir: Folder that its paths start from.
        data: Limits of the checks.
        cleaning: Rules of cleaning.
        out: Folder for account, quarantine and page; None for none.
    """

    mapping: DataMapping
    data_dir: Path
    data: DataConfig
    cleaning: CleaningConfig
    out: Path | None


def check_folder(
    request: Request, environment: Mapping[str, str], today: date, notify: Notify
) -> dict[str, Any]:
    """Read a data set, write its account and page, and return the account.

    Faulty rows do not end the reading: that they are too many is a check that fails.

    Args:
        request: What and where to.
        environment: Of this process, for ${NAME} in database URLs.
        today: Date that the age of the data is counted to.
        notify: Called with a line of progress.

    Raises:
        ConfigError: If the mapping does not fit the files.
        InvalidInputError: If nothing can be used; the account says why.
    """
    with tempfile.TemporaryDirectory(prefix="invopt-check-") as scratch:
        folder = Path(scratch) / "read"
        try:
            report = read_dataset(
                request.mapping,
                request.data_dir,
                folder,
                variables=environment,
                max_bad_share=1.0,
                today=pd.Timestamp(today),
                notify=notify,
            )
        except ConfigError:
            raise
        except InvalidInputError as err:
            _write_unreadable(request, str(err))
            raise
        profile = DataProfile.of(iter_panels(folder))
        checks = check_data(profile, report, request.data, pd.Timestamp(today))
        account = account_of(report, checks)
        if request.out is not None:
            quality = Quality("", report, checks, profile.by_date())
            _write(request.out, folder, account, quality, request.cleaning)
    return account


def _write(
    out: Path, folder: Path, account: dict[str, Any], quality: Quality, cleaning: CleaningConfig
) -> None:
    from invopt.report.data import write_data_page  # noqa: PLC0415  (matplotlib)

    counts = _counts(folder, cleaning)
    # All three or none: on a full disk an account of today would stand beside a page of yesterday.
    with (
        replacing_file(out / ACCOUNT) as account_file,
        replacing_file(out / QUARANTINE) as quarantine_file,
        replacing_file(out / PAGE) as page_file,
    ):
        write_json(account_file, account)
        shutil.copyfile(folder / QUARANTINE, quarantine_file)
        write_data_page(account, plain(quality.content), counts, str(page_file))


def _counts(folder: Path, cleaning: CleaningConfig) -> dict[str, int]:
    """Return how many periods cleaning would touch, by rule."""
    panels = list(iter_panels(folder))
    whole = whole_of(panels)
    total: Counter[str] = Counter()
    for panel in panels:
        total.update(clean(panel, cleaning, whole)[1])
    return dict(total)


def _write_unreadable(request: Request, sentence: str) -> None:
    if request.out is None:
        return
    account = unreadable_account(request.mapping.frequency, sentence)
    write_json(request.out / ACCOUNT, account)
