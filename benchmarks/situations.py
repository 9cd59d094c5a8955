"""A planner's situations: the order of tonight beside the best there is, and beside others'.

Each situation stands in ordinary extracts and a mapping and is played through `invopt run`: one
training on a shared history, then one replenishment per set of files. Because demand was drawn
from a known law, the cost of every order that could have been placed is enumerated
(`_optimum.py`). An order is right if it costs within a tenth of the cheapest one, plus what
holding one pack costs until the next delivery; where a rule decides (dead stock, an article phased
out, a fault in the data) it has to be kept. The exception that is due has to be there, and no
shelf may run dry in silence. Others are judged by their quantities alone.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._judge import Judge, Verdict, cheapest
from benchmarks._known_law import plan_known
from benchmarks._peers_orders import (
    STOCKCAST,
    facts_of,
    python_with_stockcast,
    rate_factor,
    stockcast_orders,
    textbook,
    three_weeks,
)  # fmt: skip
from benchmarks._planner_files import write_batch, write_training
from benchmarks._situations import Case, cases

OURS = "invopt"
RATE = "law known, rate estimated"
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Orders:
    """What a run of replenishment said; empty where it was refused.

    Attributes:
        quantity: Units by series; NaN where none is named.
        exception: Joined words by series.
        reason: Sentence by series.
        refusal: Last line of a run that failed, else "".
    """

    quantity: Mapping[str, float]
    exception: Mapping[str, str]
    reason: Mapping[str, str]
    refusal: str = ""


def main(rest: list[str]) -> None:
    """Play the situations and print a row for each, and totals."""
    parser = argparse.ArgumentParser(prog="invopt bench situations")
    parser.add_argument("--short", action="store_true", help="one set of files, trained briefly")
    parser.add_argument(
        "--known-law", action="store_true",
        help="by the library, the law of demand as forecast: no training, orders alone are judged",
    )  # fmt: skip
    parser.add_argument("--batches", nargs="+", help="only these sets of files")
    parser.add_argument(
        "--workspace", type=Path, help="kept, with the files; a trained one is used"
    )
    parser.add_argument("--misses", type=Path, help="file for what is not right, in full")
    parser.add_argument("--table", type=Path, help="file for the whole table (CSV)")
    parser.add_argument(
        "--stockcast", type=Path, metavar="PYTHON",
        help=f"interpreter with {STOCKCAST}; a new environment by default",
    )  # fmt: skip
    parser.add_argument("--without-stockcast", action="store_true")
    parsed = parser.parse_args(rest)
    chosen = [c for c in cases(parsed.short) if not parsed.batches or c.batch in parsed.batches]
    with tempfile.TemporaryDirectory(prefix="invopt-situations-") as scratch:
        folder = parsed.workspace or Path(scratch)
        orders = (
            known(folder, chosen)
            if parsed.known_law
            else (play(folder, chosen, short=parsed.short))
        )
        judges = [Judge(case) for case in chosen]
        rows = {OURS: [ours(j, orders[j.case.batch]) for j in judges]}
        python = None
        if not parsed.without_stockcast:
            python = python_with_stockcast(parsed.stockcast, Path(scratch) / "stockcast")
        rows |= peers(judges, python)
    print_table(chosen, rows)
    print_totals(chosen, rows)
    if parsed.misses:
        parsed.misses.write_text(told_misses(judges, rows[OURS], orders))
    if parsed.table:
        table(chosen, rows).to_csv(parsed.table, index=False)


def play(folder: Path, chosen: list[Case], *, short: bool) -> dict[str, Orders]:
    """Train once per frequency, plan once per set of files, and return the orders by set.

    Args:
        folder: Files, workspaces and orders are kept in it; a workspace there is not trained anew.
        chosen: Situations.
        short: Train briefly.
    """
    found = {}
    for weekly in (False, True):
        own = [c for c in chosen if (c.batch == "weekly") == weekly]
        if not own:
            continue
        name = "weekly" if weekly else "daily"
        workspace, data = folder / f"workspace-{name}", folder / f"training-{name}"
        if not (workspace / "runs").is_dir():
            write_training(data, own, short)
            refusal = invopt("training", data, workspace)
            if refusal:
                raise SystemExit(f"the training of the {name} history failed: {refusal}")
        for batch in dict.fromkeys(c.batch for c in own):
            here = folder / f"files-{batch}"
            write_batch(here, [c for c in own if c.batch == batch], short)
            out = folder / f"orders-{batch}" / "orders.csv"  # apart: other files come beside it
            out.parent.mkdir(exist_ok=True)
            out.unlink(missing_ok=True)
            refusal = invopt("replenishment", here, workspace, "--out", str(out))
            found[batch] = Orders({}, {}, {}, refusal) if refusal else read_orders(out)
            if refusal:
                print(f"the run of {batch} was refused: {refusal}", file=sys.stderr)
    return found


def known(folder: Path, chosen: list[Case]) -> dict[str, Orders]:
    """Return the orders by set of files where the law of demand is the forecast."""
    found = {}
    for batch in dict.fromkeys(c.batch for c in chosen):
        plan = plan_known(folder / f"files-{batch}", [c for c in chosen if c.batch == batch])
        found[batch] = as_orders(plan)
    return found


def invopt(pipeline: str, data: Path, workspace: Path, *rest: str) -> str:
    """Run a pipeline as a planner does; return "" or the last line of what went wrong."""
    command = [sys.executable, "-m", "pipelines.cli", "run", pipeline]
    command += ["--config", str(data / "config.yaml"), "--data", str(data)]
    command += ["--workspace", str(workspace), *rest]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, check=False)
    (data / f"{pipeline}.log").write_text(done.stdout + done.stderr)
    if done.returncode == 0:
        return ""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def read_orders(path: Path) -> Orders:
    """Return the orders of a file, by series."""
    return as_orders(pd.read_csv(path, dtype={"unique_id": str, "exception": str, "reason": str}))


def as_orders(plan: pd.DataFrame) -> Orders:
    """Return the orders of a plan, by series."""
    frame = plan.set_index("unique_id")
    text = frame.reindex(columns=["exception", "reason"]).fillna("")
    return Orders(
        frame["order_quantity"].to_dict(), text["exception"].to_dict(), text["reason"].to_dict()
    )


def ours(judge: Judge, orders: Orders) -> Verdict:
    """Return the verdict over our orders of a case."""
    lines = judge.case.lines
    if orders.refusal:
        return Verdict(np.inf, False, judge.best(), words=False)
    quantities = tuple(orders.quantity.get(x.unique_id, np.nan) for x in lines)
    return judge.full(quantities, tuple(orders.exception.get(x.unique_id, "") for x in lines))


def is_ok(verdict: Verdict) -> bool:
    """Return whether an order of ours is right in every respect."""
    return verdict.is_right and verdict.words and not verdict.silent


def peers(judges: list[Judge], python: Path | None) -> dict[str, list[Verdict]]:
    """Return the verdicts over what others order."""
    facts = [facts_of(j.case) for j in judges]
    found = {}
    if python is not None:
        flat = iter(stockcast_orders(python, [f for group in facts for f in group]))
        found["stockcast 0.2"] = [
            j.quantity(tuple(next(flat) for _ in group))
            for j, group in zip(judges, facts, strict=True)
        ]
    for name, rule in (("textbook base stock", textbook), ("three weeks' cover", three_weeks)):
        found[name] = [
            j.quantity(tuple(map(rule, group))) for j, group in zip(judges, facts, strict=True)
        ]
    found[RATE] = [_rate_estimated(j) for j in judges]
    return found


def _rate_estimated(judge: Judge) -> Verdict:
    case = judge.case
    if case.right != "cost" or case.budget is not None or case.min_value is not None:
        return judge.quantity(judge.best())
    return judge.quantity(tuple(cheapest(x, rate_factor(x)) for x in case.lines))


def table(chosen: list[Case], rows: Mapping[str, list[Verdict]]) -> pd.DataFrame:
    """Return cost ratios by situation and speed, and what is wrong with ours."""
    found = pd.DataFrame(
        {"situation": [c.name for c in chosen], "speed": [c.speed for c in chosen],
         "batch": [c.batch for c in chosen]}
    )  # fmt: skip
    for name, verdicts in rows.items():
        found[name] = [round(v.ratio, 3) for v in verdicts]
        found[f"{name}: right"] = [v.is_right for v in verdicts]
    found["ok"] = [is_ok(v) for v in rows[OURS]]
    found["missing word"] = [not v.words for v in rows[OURS]]
    found["silent"] = [v.silent for v in rows[OURS]]
    return found


def print_table(chosen: list[Case], rows: Mapping[str, list[Verdict]]) -> None:
    """Print a line per situation: cost ratios of slow, medium and fast demand by method."""
    names = list(dict.fromkeys(c.name for c in chosen))
    print(f"\n{'cost over the optimum: slow / medium / fast':<48}" + "".join(
        f"{name:>26}" for name in rows
    ))  # fmt: skip
    for name in names:
        cells = []
        for label, verdicts in rows.items():
            own = [v for c, v in zip(chosen, verdicts, strict=True) if c.name == name]
            cells.append(" ".join(_cell(v, ours=label == OURS) for v in own))
        print(f"{name:<48}" + "".join(f"{cell:>26}" for cell in cells))


def _cell(verdict: Verdict, *, ours: bool) -> str:
    ratio = " none" if np.isinf(verdict.ratio) else f"{min(verdict.ratio, 99.99):.2f}"
    right = is_ok(verdict) if ours else verdict.is_right
    return f"{ratio}{' ' if right else '!'}"


def print_totals(chosen: list[Case], rows: Mapping[str, list[Verdict]]) -> None:
    """Print how many are right, by method; and what ours lack."""
    print(f"\n{len(chosen)} orders; ! marks one that is not right\n")
    for name, verdicts in rows.items():
        right = sum(v.is_right for v in verdicts)
        print(f"{name:<28} {right:>4} right  {right / len(chosen):>6.1%}")
    own = rows[OURS]
    ok = sum(map(is_ok, own))
    print(
        f"{OURS}, with its exceptions    {ok:>4} right  {ok / len(chosen):>6.1%}; "
        f"{sum(not v.words for v in own)} exceptions that were due are missing, "
        f"{sum(v.silent for v in own)} shelves run dry in silence"
    )


def told_misses(judges: list[Judge], verdicts: list[Verdict], orders: Mapping[str, Orders]) -> str:
    """Return what is not right in full: what was given, what came, what is right."""
    found = []
    for judge, verdict in zip(judges, verdicts, strict=True):
        case, said = judge.case, orders[judge.case.batch]
        if is_ok(verdict):
            continue
        head = f"## {case.name}, {case.speed} (files-{case.batch})\n"
        if said.refusal:
            found.append(f"{head}the whole run was refused: {said.refusal}\n")
            continue
        body = []
        for line in case.lines:
            name = line.unique_id
            body.append(
                f"- {name}: mean {line.mean:g} a period, on hand {line.on_hand}, waiting "
                f"{line.backorders}, under way {line.on_order}, orders (due in, ordered, received) "
                f"{list(line.orders)}, terms {dict(line.terms)}\n"
                f"  ordered {said.quantity.get(name, np.nan):g}; exception "
                f"{said.exception.get(name, '')!r}; reason: {said.reason.get(name, '')}\n"
            )
        shared = {k: v[:3] for k, v in case.shared.items()}
        wrong = [] if verdict.is_right else [f"costs {verdict.ratio:.2f} of the optimum"]
        wrong += [] if verdict.words else [f"none of {list(case.words)} is told"]
        wrong += ["runs dry in silence"] if verdict.silent else []
        found.append(
            f"{head}{''.join(body)}- other tables: {shared}\n- right: {case.right} "
            f"{verdict.best}; **{'; '.join(wrong)}**\n"
        )
    return "\n".join(found)
