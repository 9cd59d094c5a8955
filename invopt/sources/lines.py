"""A stranger's lines of sales: what is counted of them, and what was found to be none."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from invopt.sources.duck import Reader
from invopt.sources.facts import ColumnFacts, FileFacts, num_combined
from invopt.sources.words import Keys
from invopt.sql import literal, quote

MAX_KINDS = 40  # values of a column that names kinds


@dataclass
class Lines:
    """The lines of a file, and the rules that leave some out.

    Args:
        reader: Holds the file.
        file: Of the sales.
        keys: Its keys.
        quantity: What was sold.

    Attributes:
        rules: Conditions that keep a line, for `where`.
        notes: A sentence about each thing found.
        returned: Conditions of lines that are given back and written above zero.
        told: The values that these conditions name.
    """

    reader: Reader
    file: FileFacts
    keys: Keys
    quantity: ColumnFacts
    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def leave_out(self, column: ColumnFacts, left: dict[str, str]) -> None:
        """Leave out values of a column, each with the reason why, and say so."""
        self.rules.append(
            f"coalesce(trim({quote(column.name)}::VARCHAR), '') NOT IN "
            f"({', '.join(map(literal, left))})"
        )
        for why in dict.fromkeys(left.values()):
            values = [v for v, reason in left.items() if reason == why]
            listed, rows = ", ".join(values), self.num_lines(among(column, values))
            self.notes.append(
                f"{rows:,} rows of {self.file.name} whose {column.name} is {listed} are left out, "
                f"as {why}: "
                "take them out of `where` if they are sales"
            )

    def give_back(self, column: ColumnFacts, returned: list[str]) -> None:
        """Count the lines of some kinds below zero."""
        if not returned:
            return
        self.returned.append(among(column, returned))
        self.told |= {*returned}
        self.notes.append(
            f"rows of {self.file.name} whose {column.name} is {', '.join(returned)} are given "
            "back and written above 0: they count below 0"
        )

    def has_one_sign(self, column: ColumnFacts, values: list[str]) -> bool:
        """Return whether lines of some kinds are all above 0."""
        return not self.num_lines(f"{among(column, values)} AND {self.amount()} < 0")

    def amount(self) -> str:
        """Return the SQL of what was sold as a number."""
        return self.quantity.style.sql(quote(self.quantity.name))

    def counts(self, text: str, most: int) -> dict[str, int] | None:
        """Return rows by value, the most frequent first; None where there are too many values."""
        sql = (
            f"SELECT coalesce({text}, '') AS v, count(*) AS n FROM \"{self.file.name}\" GROUP BY 1 "
            f"ORDER BY n DESC, v LIMIT {most + 1}"
        )
        found = self.reader.fetch(sql, self.file.name).to_pylist()
        return {row["v"]: row["n"] for row in found} if len(found) <= most else None

    def num_lines(self, condition: str) -> int:
        """Return of how many lines a condition is true."""
        sql = f'SELECT count(*) FILTER ({condition}) AS n FROM "{self.file.name}"'
        return int(self.reader.fetch(sql, self.file.name)["n"][0].as_py())

    def is_attribute(self, column: ColumnFacts) -> bool:
        """Return whether a column says something of products or places, not of a line.

        Each of them has one value then: a reversible jacket is no reversal.
        """
        keys = self.keys.there or [str(self.keys.series)]
        alone, both = ([*map(quote, names)] for names in (keys, [*keys, column.name]))
        return num_combined(self.reader, self.file, alone) == num_combined(
            self.reader, self.file, both
        )


def among(column: ColumnFacts, values: Iterable[str]) -> str:
    """Return the condition that a column holds one of some values, blanks around it left out."""
    return (
        f"coalesce(trim({quote(column.name)}::VARCHAR), '') IN ({', '.join(map(literal, values))})"
    )
