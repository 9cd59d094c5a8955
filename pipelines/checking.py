"""`invopt check-data`: what a person asks for, and what is printed about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from invopt.config import CleaningConfig, Config, DataConfig
from invopt.errors import InvalidInputError
from invopt.history import tell_fit
from invopt.sources import load_mapping
from pipelines.parameters import load_run_config, mapping_path
from serving.deployment import Deployment
from serving.loop.data_account import ACCOUNT, PAGE, Request, check_folder


def check_data(
    deployment: Deployment,
    config: Path | None,
    mapping: Path | None,
    data: Path,
    out: Path | None,
) -> None:
    """Read a data set, print its account, and write it to a folder where one is named.

    Args:
        deployment: Whose environment database URLs may name.
        config: Configuration of a run; None takes the usual limits.
        mapping: Mapping file, where no configuration is given.
        data: Folder of the data.
        out: Folder for account, quarantine and page.

    Raises:
        InvalidInputError: If nothing can be used, or a check fails.
    """
    request = _request(config, mapping, data, out)
    today = datetime.now(UTC).date()
    account = check_folder(request, deployment.environment, today, lambda text: print(f"  {text}"))
    for line in _lines(account):
        print(line)
    if config is not None:
        for line in _fit(load_run_config(config), account):
            print(line)
    if out is not None:
        print(f"account: {out / ACCOUNT}\npage: {out / PAGE}")
    failed = [check["message"] for check in account["checks"] if not check["passed"]]
    if failed:
        raise InvalidInputError(
            f"{len(failed)} of {len(account['checks'])} checks of the data fail: "
            f"{'; '.join(failed)}. Correct the data or the mapping, or change the limits "
            "under data."
        )


def _fit(run: Config, account: dict[str, Any]) -> list[str]:
    """Return what a training would change, or why it would refuse, in lines."""
    if account["num_series"] and not account["sums"]["sales.y"]:
        return [
            "a training would refuse this: nothing was sold in any of these periods: give the "
            "files of sales, or look at columns.y of the mapping."
        ]
    return tell_fit(run, account["frequency"], account["first"], account["last"])


def _request(config: Path | None, mapping: Path | None, data: Path, out: Path | None) -> Request:
    if not data.is_dir():
        raise InvalidInputError(f"--data {data} is not a folder.")
    if out is not None and out.exists() and not out.is_dir():
        raise InvalidInputError(f"--out {out} is a file; name a folder.")
    if config is None:
        assert mapping is not None
        limits = DataConfig(mapping=str(mapping))
        return Request(load_mapping(mapping), data, limits, CleaningConfig(), out)
    run = load_run_config(config)
    return Request(load_mapping(mapping_path(config, run)), data, run.data, run.cleaning, out)


def _lines(account: dict[str, Any]) -> list[str]:
    """Return the account in words."""
    sums, cells = account["sums"], account["cells"]
    lines = [
        f"{account['num_series']:,} series, {account['first']} to "
        f"{account['last']} ({account['frequency']}), {round(sums['sales.y'], 3):,.12g} units sold"
    ]
    for name, source in account["sources"].items():
        line = f"  {name}: {source['rows_used']:,} of {source['rows_in']:,} rows used"
        more = [
            f"{source[key]:,} {words}"
            for key, words in (
                ("rows_set_aside", "set aside with a reason"),
                ("rows_filtered", "left out by where"),
            )
            if source[key]
        ]
        lines.append(f"{line} ({', '.join(more)})" if more else line)
    lines.append(
        f"  periods of a series: {cells['observed']:,} with a record, {cells['zero']:,} without "
        f"one and read as no sale, {cells['unknown']:,} unknown"
    )
    return lines + [f"  {note}" for note in account["notes"]]
