"""Models of parts: which candidate forecasts which series, and their answers put together.

The folder of a composed model is that of its main model, with `parts.json` beside it and each other
candidate's own folder below `parts/`. Everything that forecasts (planning, serving, monitoring, the
gate) hands series to parts through `answers_of`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.errors import ContractError
from invopt.files import read_json, write_json
from invopt.model_files import PARTS, RULES
from invopt.panel import Panel, group_names
from invopt.types import BoolArray, Float32Array, IntArray

MAIN = ""  # name of the model whose folder holds the parts
Arrays = Sequence[Float32Array]  # of one model: mean, quantiles, levels, a row per series each


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """What tells which rule a series follows; arrays are (series,).

    Attributes:
        ids: Names of the series.
        columns: Attributes by column, "" where a series has none.
        launched: First day of the first period on sale.
    """

    ids: npt.NDArray[np.object_] = field(repr=False)
    columns: Mapping[str, npt.NDArray[np.object_]] = field(repr=False)
    launched: npt.NDArray[np.datetime64] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PartRule:
    """Who forecasts the series of a group; any of its three marks makes a series one of it.

    Attributes:
        group: Its name.
        makers: Names of the parts whose average its forecast is, MAIN for the main model.
        column: Attribute that is looked at, "" for none: it holds for series nobody knew before.
        values: Of that attribute.
        since: First day on sale from which on, YYYY-MM-DD; "" for none.
        series: Names of series.
        everything: True where every series is one of it.
    """

    group: str
    makers: tuple[str, ...]
    column: str = ""
    values: tuple[str, ...] = ()
    since: str = ""
    series: tuple[str, ...] = field(default=(), repr=False)
    everything: bool = False

    def holds(self, facts: SeriesFacts) -> BoolArray:
        """Return for each series whether it is one of the group.

        Example:
            >>> facts = SeriesFacts(
            ...     ids=np.array(["a", "b", "c"], object),
            ...     columns={"location": np.array(["S1", "S2", "S2"], object)},
            ...     launched=np.array(["2024-01-01", "2024-01-01", "2026-05-01"], "datetime64[D]"),
            ... )
            >>> PartRule(group="S1", makers=("m",), column="location", values=("S1",)).holds(facts)
            array([ True, False, False])
            >>> PartRule(group="new", makers=("m",), since="2026-01-01").holds(facts)
            array([False, False,  True])
        """
        found = np.full(len(facts.ids), self.everything)
        if self.column and self.column in facts.columns:
            found |= np.isin(facts.columns[self.column].astype(str), self.values)
        if self.since:
            found |= facts.launched >= np.datetime64(self.since)
        if self.series:
            known = self._known
            found |= np.fromiter((name in known for name in facts.ids), bool, len(found))
        return found

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.series)


@dataclass(frozen=True)
class Parts:
    """Rules of a composed model, the first that holds counts; who follows none is the main model's.

    Attributes:
        rules: In order.
    """

    rules: tuple[PartRule, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts besides the main model, each once."""
        return tuple(dict.fromkeys(m for rule in self.rules for m in rule.makers if m != MAIN))

    @property
    def columns(self) -> tuple[str, ...]:
        """Attributes that rules look at."""
        return tuple(dict.fromkeys(rule.column for rule in self.rules if rule.column))

    def makers(self, place: int) -> tuple[str, ...]:
        """Return who forecasts the series of a place that `places` tells."""
        return self.rules[place].makers if place < len(self.rules) else (MAIN,)

    def places(self, facts: SeriesFacts) -> IntArray:
        """Return for each series the number of its rule, that of rules where it follows none."""
        found = np.full(len(facts.ids), len(self.rules))
        for number in reversed(range(len(self.rules))):
            found[self.rules[number].holds(facts)] = number
        return found

    def renamed(self, names: Mapping[str, str]) -> "Parts":
        """Return the rules with other names of their makers."""
        return Parts(
            tuple(
                replace(rule, makers=tuple(names.get(maker, maker) for maker in rule.makers))
                for rule in self.rules
            )
        )

    def save(self, folder: Path) -> None:
        """Write the rules into a model's folder."""
        write_json(folder / RULES, {"rules": [asdict(rule) for rule in self.rules]})

    def labels(self, own: Mapping[str, str]) -> tuple[str, ...]:
        """Return what people call who forecasts the series of each place that `places` tells.

        Args:
            own: What they call each part, by name; the main model's is MAIN.
        """
        numbers = range(len(self.rules) + 1)
        return tuple(label_of_makers(self.makers(number), own) for number in numbers)

    @classmethod
    def of(cls, folder: Path) -> "Parts":
        """Return the rules of a model's folder, none where it has no parts.

        Raises:
            ContractError: See `load`.
        """
        return cls.load(folder) if (folder / RULES).is_file() else cls(())

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        """Read the rules that `save` wrote, wherever the parts are.

        Raises:
            ContractError: If there are none, or they cannot be read.
        """
        try:
            return cls(tuple(_rule(rule) for rule in read_json(folder / RULES)["rules"]))
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise ContractError("Model", RULES, f"be readable in {folder}") from err

    @classmethod
    def load(cls, folder: Path) -> "Parts":
        """Read the rules of a model's folder.

        Raises:
            ContractError: If there are none, they cannot be read, or a part they name is missing.
        """
        parts = cls.read(folder)
        missing = [
            name for name in parts.names
            if not (_is_plain(name) and part_folder(folder, name).is_dir())
        ]  # fmt: skip
        if missing:
            raise ContractError(
                "Model", f"{PARTS}/{missing[0]}", f"exist in {folder}",
                count=len(missing), examples=missing,
            )  # fmt: skip
        return parts


def part_folder(folder: Path, name: str) -> Path:
    """Return where a part of a composed model lies; the model's own folder for the main one."""
    return folder if name == MAIN else folder / PARTS / name


def _is_plain(name: str) -> bool:
    """Return whether a part's name leads nowhere but into the folder of parts."""
    return Path(name).name == name and name != ".."


def facts_of(panel: Panel, columns: Sequence[str]) -> SeriesFacts:
    """Return what rules look at, of the series of a panel.

    Args:
        panel: Cleaned.
        columns: Attributes that rules look at; those the panel does not have are left out.
    """
    dates = panel.timeline.dates(0, panel.num_periods + 1).to_numpy("datetime64[D]")
    return SeriesFacts(
        ids=panel.unique_ids,
        columns={c: group_names(panel.series, c) for c in columns if c in panel.series},
        launched=dates[panel.launch()],
    )


def answers_of(
    parts: Parts, places: IntArray, ask: Callable[[str, IntArray], Arrays]
) -> tuple[Float32Array, ...]:
    """Return mean, quantiles and levels of every series, each asked of its own part and in order.

    Quantiles of an average are averaged level by level, which keeps them in order.

    Args:
        parts: Rules.
        places: (series,) of Parts.places.
        ask: Returns a part's arrays for some rows, in the order of the rows; called once a part.

    Example:
        The second series is the average of the main model, who says 1, and of "m", who says 3:

        >>> rule = PartRule(group="b", makers=(MAIN, "m"), series=("b",))
        >>> said = {MAIN: 1, "m": 3}
        >>> def ask(name, rows):
        ...     return [np.full((len(rows), 2), said[name], np.float32)] * 3
        >>> answers_of(Parts((rule,)), np.array([1, 0]), ask)[0].tolist()
        [[1.0, 1.0], [2.0, 2.0]]
    """
    found: list[Float32Array] = []
    for name, rows in rows_of(parts, places).items():
        own = ask(name, rows)
        if not found:
            found = [np.zeros((len(places), *array.shape[1:]), np.float32) for array in own]
        number = np.array([len(parts.makers(place)) for place in places[rows]], np.float32)
        for whole, array in zip(found, own, strict=True):
            whole[rows] += array / number.reshape(-1, *[1] * (array.ndim - 1))
    return tuple(found)


def rows_of(parts: Parts, places: IntArray) -> dict[str, IntArray]:
    """Return the rows that each part is asked for, by its name; nobody is asked for nothing."""
    found: dict[str, IntArray] = {}
    for name in (MAIN, *parts.names):
        asked = [place for place in range(len(parts.rules) + 1) if name in parts.makers(place)]
        rows = np.flatnonzero(np.isin(places, asked))
        if len(rows):
            found[name] = rows
    return found


def label_of_makers(makers: Sequence[str], labels: Mapping[str, str]) -> str:
    """Return what people call the forecast of one part, or the average of several.

    Example:
        >>> label_of_makers((MAIN, "m"), {MAIN: "LSTM network", "m": "lightgbm"})
        'average of LSTM network and lightgbm'
    """
    names = [labels[name] for name in makers]
    return names[0] if len(names) == 1 else f"average of {' and '.join(names)}"


def _rule(content: Mapping[str, Any]) -> PartRule:
    lists = ("makers", "values", "series")
    return PartRule(**(dict(content) | {name: tuple(content[name]) for name in lists}))
