"""What this process answered last.

It answers while the feature store is out of reach, and who asks the same again while nothing that
the answer comes from has changed.
"""

import threading
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.answers.plans import PlanSheet

AGE = "feature_age_s"


class WrittenAnswer(Mapping[str, Any]):
    """A Decision as it is sent; it is read only where somebody looks inside.

    Args:
        before: Its JSON up to the age of its sales, which alone changes from answer to answer.
        after: The rest.
        age: Seconds.
    """

    __slots__ = ("_parts", "_read")

    def __init__(self, before: bytes, after: bytes, age: float) -> None:
        self._parts = (before, orjson.dumps(age), after)
        self._read: dict[str, Any] | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "WrittenAnswer":
        """Return an answer, written.

        Args:
            answer: A Decision, arrays as numpy has them.
        """
        names = list(answer)
        at = names.index(AGE)
        before, after = (
            orjson.dumps({n: answer[n] for n in part}, option=orjson.OPT_SERIALIZE_NUMPY)
            for part in (names[:at], names[at + 1 :])
        )
        return cls(before[:-1] + f',"{AGE}":'.encode(), b"," + after[1:], answer[AGE])

    def aged(self, age: float) -> "WrittenAnswer":
        """Return the answer as it is sent at another time."""
        return WrittenAnswer(self._parts[0], self._parts[2], age)

    @property
    def body(self) -> bytes:
        """JSON."""
        return b"".join(self._parts)

    def __getitem__(self, name: str) -> Any:
        """Return a value; lists where the decision had arrays."""
        return self._content[name]

    def __iter__(self) -> Iterator[str]:
        """Yield names in order."""
        return iter(self._content)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._content)

    @property
    def _content(self) -> dict[str, Any]:
        if self._read is None:
            self._read = orjson.loads(self.body)
        return self._read


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What a series was answered last.

    Attributes:
        sheet: Holds what the answer was made from.
        row: Of the sheet.
        source: Tells whether the same would be answered again; None where only the sheet is kept.
        answer: As it was sent.
        logged: What the prediction log keeps of it.
    """

    sheet: PlanSheet = field(repr=False)
    row: int
    source: Hashable = None
    answer: WrittenAnswer | None = field(default=None, repr=False)
    logged: Mapping[str, Any] = field(default_factory=dict, repr=False)


class LastAnswers:
    """Keeps the latest sheets of forecasts, up to a number of rows in all.

    Args:
        max_rows: Rows kept; the oldest sheets go first.
    """

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        self._rows: dict[str, LastAnswer] = {}
        self._sheets: deque[tuple[PlanSheet, list[str]]] = deque()
        self._held = 0
        self._lock = threading.Lock()

    def keep(
        self,
        sheet: PlanSheet,
        rows: Sequence[tuple[str, int]],
        answers: Mapping[str, tuple[Hashable, WrittenAnswer, Mapping[str, Any]]] | None = None,
    ) -> None:
        """Keep a sheet under the names of some of its rows.

        Args:
            sheet: Of forecasts.
            rows: Name and row of each.
            answers: Of those that may be answered so again, by name: source, answer and what is
                logged.
        """
        if not rows:
            return
        told = answers or {}
        with self._lock:
            for name, row in rows:
                self._rows[name] = LastAnswer(sheet, row, *told.get(name, ()))
            self._sheets.append((sheet, [name for name, _ in rows]))
            self._held += len(sheet.steps)
            while self._held > self.max_rows and len(self._sheets) > 1:
                oldest, names = self._sheets.popleft()
                self._held -= len(oldest.steps)
                for name in names:
                    if name in self._rows and self._rows[name].sheet is oldest:
                        del self._rows[name]

    def find(self, name: str) -> PlanSheet | None:
        """Return a sheet of one row, None where nothing is remembered."""
        with self._lock:
            found = self._rows.get(name)
        return None if found is None else found.sheet.row(found.row)

    def again(self, sources: Mapping[str, Hashable]) -> dict[str, LastAnswer]:
        """Return what the series are answered that would be answered the same again.

        Args:
            sources: By series: what its answer would come from now.
        """
        with self._lock:
            found = {name: self._rows.get(name) for name in sources}
        return {
            name: last
            for name, last in found.items()
            if last is not None and last.answer is not None and last.source == sources[name]
        }

    def latest(self, number: int) -> list[str]:
        """Return names of the latest sheets, up to a number."""
        with self._lock:
            names = [name for _, some in reversed(self._sheets) for name in some]
        return list(dict.fromkeys(names))[:number]
