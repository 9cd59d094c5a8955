"""Where a run's orders are put, and that nobody's own files are lost there."""

from pathlib import Path

from invopt.errors import InvalidInputError
from invopt.files import copy_whole

# Files that come beside the orders, and the beginning of each as we write it.
BESIDE = {
    "purchase_orders.csv": b"supplier,order_date,arrival_date,unique_id,",
    "exceptions.csv": b"unique_id,exception,date,",
    "forecast.parquet": b"PAR1",
    "plan.html": b"<!doctype html>",
    "orders.xlsx": b"PK\x03\x04",
}
_ORDERS = b"unique_id,"
_FOLDER = "name another folder with --out, such as --out plan/orders.csv."


def refuse_to_overwrite(out: Path) -> None:
    """Refuse a place for orders where files that are not ours would be overwritten.

    Raises:
        InvalidInputError: If a file of the same name as one of ours has other content.
    """
    if out.is_dir():
        raise InvalidInputError(f"--out {out} is a folder: name the file, as in {out}/orders.csv.")
    ours = {out: _ORDERS} | {out.parent / name: begins for name, begins in BESIDE.items()}
    for file, begins in ours.items():
        if file.is_file() and not _begins(file, begins):
            raise InvalidInputError(
                f"{file} is not a file that a plan has written, and the plan would overwrite it: "
                + _FOLDER
            )


def _begins(file: Path, begins: bytes) -> bool:
    with file.open("rb") as stream:
        found = stream.read(len(begins) + 3)
    return not found or found.removeprefix(b"\xef\xbb\xbf").startswith(begins)


def put_orders(run: Path, out: Path) -> None:
    """Copy the orders of a run to a place, and before them what belongs to them beside it."""
    for name in BESIDE:
        if (run / name).is_file():  # pages that could not be drawn hold up no orders
            copy_whole(run / name, out.parent / name)
    copy_whole(run / "orders.csv", out)
