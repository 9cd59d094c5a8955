"""The parser of the `invopt` command: it says what was likely meant, and shows an example."""

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

_SET, _FIELD = "--set", re.compile(r"[a-z][\w.]*=")
_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")
EXAMPLES = {
    "run": "invopt run training --config pipelines/configs/demo.yaml\n"
    "  invopt run replenishment --workspace workspace --out orders.csv",
    "compile": "invopt compile training --config my.yaml --out training.yaml",
    "submit": "invopt submit training --config my.yaml --host http://localhost:8888 --wait",
    "wait": "invopt wait 4f2c81d0 --host http://localhost:8888",
    "preview": "invopt preview training --config my.yaml",
    "rollback": "invopt rollback --workspace workspace",
    "serve": "invopt serve --workspace workspace --port 8080",
    "plan": "invopt plan --workspace workspace",
    "prune": "invopt prune --workspace workspace --days 180",
    "demo-data": "invopt demo-data --out demo",
    "why": "invopt why 2026-11-27\n  invopt why P000_S00\n  invopt why planner-42",
    "acknowledge": 'invopt acknowledge --who Ana --reason "supplier resends the file"\n'
    "  invopt acknowledge monitoring-20261127-060000 --who Ana --until 2026-12-05",
    "retraining": 'invopt retraining off --reason "stocktaking"',
    "init-mapping": "invopt init-mapping data --out mapping.yaml",
    "check-data": "invopt check-data --config config.yaml --data data --out account",
    "completion": "invopt completion bash > ~/.local/share/bash-completion/completions/invopt",
    "bench": "invopt bench list\n  invopt bench serving --help",
}


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the end of a sentence that names the likely one, "" where none is near."""
    close = difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else ""


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within limits from the command line."""
    limits = f"of {least} or more" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"it is a whole number {limits}, got {text}")
        return number

    return read


AT_LEAST_ONE, PORT = whole(1), whole(0, 65535)


def each_set(arguments: Sequence[str]) -> list[str]:
    """Return arguments in which every field that follows `--set` has a `--set` of its own.

    Example:
        >>> each_set(["run", "--set", "gate.a=1", "gate.b=2", "training"])
        ['run', '--set', 'gate.a=1', '--set', 'gate.b=2', 'training']
    """
    found: list[str] = []
    for word in arguments:
        if len(found) > 1 and found[-2] == _SET and _FIELD.match(word):
            found.append(_SET)
        found.append(word)
    return found


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help in which an option shows its default, where it has one and does not tell it itself."""

    def _get_help_string(self, action: argparse.Action) -> str:
        told, value = action.help or "", action.default
        is_none = (
            value is None or isinstance(value, bool | list) or value in ("", argparse.SUPPRESS)
        )
        return told if is_none or "default" in told else f"{told} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """Says what was likely meant where a word is not known; shows defaults and an example."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        example = EXAMPLES.get(self.prog.rpartition(" ")[2])
        self.formatter_class = _Help
        if example:
            self.epilog = f"example:\n  {example}"

    def error(self, message: str) -> NoReturn:
        """End with the usage, the message and what was likely meant."""
        super().error(message + self._meant(message))

    def _meant(self, message: str) -> str:
        found = _CHOICE.search(message)
        if found is None:
            return ""
        return did_you_mean(found[1], re.findall(r"[\w-]+", found[2]))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return a parser's commands by name."""
    [found] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)
