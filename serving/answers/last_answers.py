"""What this process answered last, for the time the feature store is out of reach."""

import threading
from collections import deque
from collections.abc import Sequence

from serving.answers.plans import PlanSheet


class LastAnswers:
    """Keeps the latest sheets of forecasts, up to a number of rows in all.

    Args:
        max_rows: Rows kept; the oldest sheets go first.
    """

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        self._rows: dict[str, tuple[PlanSheet, int]] = {}
        self._sheets: deque[tuple[PlanSheet, list[str]]] = deque()
        self._held = 0
        self._lock = threading.Lock()

    def keep(self, sheet: PlanSheet, rows: Sequence[tuple[str, int]]) -> None:
        """Keep a sheet under the names of some of its rows."""
        if not rows:
            return
        with self._lock:
            for name, row in rows:
                self._rows[name] = (sheet, row)
            self._sheets.append((sheet, [name for name, _ in rows]))
            self._held += len(sheet.steps)
            while self._held > self.max_rows and len(self._sheets) > 1:
                oldest, names = self._sheets.popleft()
                self._held -= len(oldest.steps)
                for name in names:
                    if name in self._rows and self._rows[name][0] is oldest:
                        del self._rows[name]

    def find(self, name: str) -> PlanSheet | None:
        """Return a sheet of one row, None where nothing is remembered."""
        with self._lock:
            found = self._rows.get(name)
        return None if found is None else found[0].row(found[1])

    def latest(self, number: int) -> list[str]:
        """Return names of the latest sheets, up to a number."""
        with self._lock:
            names = [name for _, some in reversed(self._sheets) for name in some]
        return list(dict.fromkeys(names))[:number]
