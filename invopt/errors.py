"""The errors a caller can act on; everything else is a defect and keeps its traceback.

ValueError
 └── InvalidInputError        what a person or a service handed in cannot be used
      ├── ConfigError         a configuration file, key or value
      ├── ContractError       a table or array that breaks its contract
      └── CheckpointError     a checkpoint that does not fit the run that would resume it
"""

from collections.abc import Iterable

MAX_EXAMPLES = 5


class InvalidInputError(ValueError):
    """What a caller handed in cannot be used; the message says what, where and what to do."""


class ConfigError(InvalidInputError):
    """A configuration file, key or value cannot be used."""


class ContractError(InvalidInputError):
    """A table or array breaks its contract.

    Args:
        contract: Name of the contract, for example "Sales".
        column: The column at fault, or the contract's name when it is the whole table.
        rule: What the column must obey, as the end of "<column> must ...".
        count: Number of offending rows or series.
        examples: Offending values or ids; the first five are shown.
        advice: What to do, as a sentence.
    """

    def __init__(
        self,
        contract: str,
        column: str,
        rule: str,
        *,
        count: int | None = None,
        examples: Iterable[object] = (),
        advice: str = "",
    ) -> None:
        self.contract = contract
        self.column = column
        self.count = count
        self.examples = [str(example) for example in list(examples)[:MAX_EXAMPLES]]
        message = f"{contract}.{column} must {rule}"
        if count is not None:
            message += f"; {count} did not"
        if self.examples:
            message += f" (e.g. {', '.join(self.examples)})"
        super().__init__(message + "." + (f" {advice}" if advice else ""))


class CheckpointError(InvalidInputError):
    """A checkpoint does not fit the configuration or data it would be resumed with."""


class OvertakenError(InvalidInputError):
    """A verdict that no longer holds: another version became champion since it was passed."""
