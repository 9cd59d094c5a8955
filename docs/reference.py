"""The pages under docs/reference, made from the code they describe.

`python -m docs.reference` writes them, `--check` says which are stale. What code does not say (when
to change a field, what a column means) is in docs/reference/*.yaml, one line per name.
"""

import argparse
import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
ROOMS = ("invopt", "serving", "components", "pipelines", "feature_repo")
_MADE = "<!-- Made by `make docs-reference` from {source}; changes here are lost. -->"
_UNITS = (
    (r"_minutes$|^max_minutes$", "minutes"),
    (r"_seconds$", "seconds"),
    (r"_days$|^urgent_days$", "days"),
    (r"_percent$", "percent"),
    (r"(share|rate|ratio|margin|increase|tolerance|confidence|_p_value|degraded)$", "share"),
    (r"(periods|horizon|lead_time|review_period|outlier_window|period|gap|step_size)$", "periods"),
    (r"_bytes$", "bytes"),
    (r"(^num_|_steps$|_trials$|_size$|_rows$|max_failures|max_per_month|retries|gpus)", "number"),
)


def pages() -> dict[str, str]:
    """Return every page of the reference: file name to text."""
    made = {
        "command-line.md": command_line(),
        "configuration.md": configuration(),
        "environment.md": environment(),
        "errors.md": errors(),
        "files.md": files(),
        "metrics.md": metrics(),
        "library.md": library(),
    }
    found = {name: re.sub(r"\n{3,}", "\n\n", text).strip() + "\n" for name, text in made.items()}
    return found | {f"../pictures/badge-{name}.svg": svg for name, svg in badges().items()}


def badges() -> dict[str, str]:
    """Return the badges of the front page, which say what pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pipelines = project["optional-dependencies"]["pipeline"]
    kfp = next(p.partition("==")[2] for p in pipelines if p.startswith("kfp=="))
    said = {
        "version": ("version", project["version"]),
        "python": ("python", project["requires-python"].replace(">=", "from ")),
        "licence": ("licence", project["license"]),
        "kfp": ("Kubeflow Pipelines", kfp),
    }
    return {name: _badge(*words) for name, words in said.items()}


def _badge(left: str, right: str) -> str:
    first, second = 12 + round(6.6 * len(left)), 12 + round(6.6 * len(right))
    total = first + second
    text = 'y="14" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle" fill="#fff"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" '
        f'aria-label="{left}: {right}"><title>{left}: {right}</title>'
        f'<rect width="{total}" height="20" rx="3" fill="#4b5770"/>'
        f'<path d="M{first} 0h{second - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{second - 3}z" '
        f'fill="#2f5bd0"/><text x="{first / 2:g}" {text}>{left}</text>'
        f'<text x="{first + second / 2:g}" {text}>{right}</text></svg>\n'
    )


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; a cell's line breaks and bars are escaped."""
    head = list(head)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = (re.sub(r"\s+", " ", str(c)).strip().replace("|", "\\|") for c in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def attributes(docstring: str | None) -> dict[str, str]:
    """Return the entries of the "Attributes" (or "Args") of a Google docstring."""
    found: dict[str, str] = {}
    name = ""
    inside = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if not line.startswith(" "):
            inside = line.strip() in ("Attributes:", "Args:") or (inside and not line.strip())
            continue
        entry = re.match(r"    (\w+): (.*)", line)
        if inside and entry:
            name = entry[1]
            found[name] = entry[2]
        elif inside and name:
            found[name] += " " + line.strip()
    return found


def summary(docstring: str | None) -> str:
    """Return what a docstring says before its sections."""
    text = inspect.cleandoc(docstring or "")
    return re.split(r"\n\n?(?:Attributes|Args|Returns|Raises):", text)[0].strip()


# --- command line ---------------------------------------------------------------------------


def command_line() -> str:
    """Return the page of `invopt` and of make's targets."""
    from pipelines import cli

    parser = cli._parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    about = {a.dest: a.help or "" for a in commands._choices_actions}
    text = [
        "# Command line", _MADE.format(source="`pipelines/cli.py`"),
        f"`invopt COMMAND --help` says the same. {parser.description} "
        "Status 0: done and checked; 1: one sentence says what is wrong and what to do; 2: the "
        "command is not written so; 130: interrupted.",
        table(("command", "what it does"),
              ((f"[{n}](#{n.replace(' ', '-')})", about.get(n, "")) for n in commands.choices)),
    ]  # fmt: skip
    for name, sub in commands.choices.items():
        usage = re.sub(r"\s+", " ", sub.format_usage().removeprefix("usage: ")).strip()
        usage = usage.replace(" [-h]", "")
        text += [f"## {name}", _sentence(about.get(name, "")), f"    {usage}"]
        rows = [
            (_spelled(action), _sentence(action.help or ""),
             _default(action))
            for action in sub._actions
            if not isinstance(action, argparse._HelpAction)
        ]  # fmt: skip
        if rows:
            text.append(table(("option", "meaning", "default"), rows))
    text += ["## make", "Targets of the Makefile; `make help` lists them.",
             table(("target", "what it does"), _targets())]  # fmt: skip
    return "\n\n".join(text)


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if isinstance(value, tuple):
        value = " ".join(value)
    if action.choices:
        value = "\\|".join(map(str, action.choices)).replace("\\|", "|")
    text = f"{', '.join(action.option_strings)} {value}".strip()
    return f"`{text}`" + (" (required)" if action.required and action.option_strings else "")


def _default(action: argparse.Action) -> str:
    if action.default in (None, argparse.SUPPRESS, False, []) or action.required:
        return ""
    return f"`{action.default}`" if action.default != "" else ""


def _targets() -> Iterator[tuple[str, str]]:
    for line in (ROOT / "Makefile").read_text().splitlines():
        found = re.match(r"([a-z0-9-]+):.*?##\s*(.*)", line)
        if found:
            yield f"`make {found[1]}`", _sentence(found[2])


# --- configuration --------------------------------------------------------------------------


def configuration() -> str:
    """Return the page of every field of a run's configuration."""
    from invopt.config import Config

    notes = _notes("configuration.yaml")
    text = [
        "# Configuration",
        _MADE.format(source="`invopt/config.py` and `invopt/deployment_config.py`"),
        "A run is one YAML file, such as `pipelines/configs/demo.yaml`; `--set section.key=value` "
        "changes one field of it. Every field has a default but `name` and `data.mapping`. "
        "`invopt init-mapping` writes a configuration that fits the data. A field without advice "
        "in the last column is best left as it is. A period is a day, a week or a month, whatever "
        "the mapping's `frequency` says.",
        table(("section", "what it holds", "fields"),
              ((f"[{n}](#{n})", summary(m.__doc__).split(chr(10))[0], len(m.model_fields))
               for n, m in _sections(Config))),
        "## name",
        "Of the run and of the registered model: letters, digits, `-` and `_`. The one field "
        "outside a section.",
    ]  # fmt: skip
    for name, model in _sections(Config):
        text += [f"## {name}", _sentence(summary(model.__doc__)), _field_table(name, model, notes)]
        for key, inner in _nested(model):
            text += [f"### {name}.{key}", _sentence(summary(inner.__doc__)),
                     _field_table(f"{name}.{key}", inner, notes)]  # fmt: skip
    return "\n\n".join(text)


def _sections(config: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    return [
        (name, field.annotation)
        for name, field in config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]


def _nested(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield fields that hold a section of their own, each kind of section once."""
    seen: set[type] = set()
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            if inner not in seen:
                seen.add(inner)
                yield name, inner
                for deeper, found in _nested(inner):
                    yield f"{name}.{deeper}", found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in get_args(annotation) for m in _models_in(part)]


def _field_table(section: str, model: type[BaseModel], notes: dict[str, Any]) -> str:
    meanings = attributes(model.__doc__)
    rows = []
    for name, field in model.model_fields.items():
        note = notes.get(f"{section}.{name}", {})
        note = {"when": note} if isinstance(note, str) else note
        rows.append((
            f"`{field.alias or name}`",
            meanings.get(name, ""),
            note.get("unit") or _unit(name, field.annotation),
            _limits(field),
            "(required)" if field.is_required() else f"`{_plain(field.default)}`",
            note.get("when", ""),
        ))  # fmt: skip
    return table(("field", "meaning", "unit", "allowed", "default", "when to change"), rows)


def _unit(name: str, annotation: Any) -> str:
    if annotation is bool:
        return "true or false"
    text = str(annotation)
    if "int" not in text and "float" not in text:
        return ""
    return next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "")


_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "items >="}


def _limits(field: Any) -> str:
    found = []
    for rule in field.metadata:
        found += [f"{s} {getattr(rule, n):g}" for n, s in _SIGNS.items()
                  if getattr(rule, n, None) is not None]  # fmt: skip
    words = _words_in(field.annotation)
    return ", ".join([*found, *(f"`{w}`" for w in words)])


def _words_in(annotation: Any) -> list[str]:
    parts = get_args(annotation)
    if parts and all(isinstance(p, str) for p in parts):
        return list(parts)
    if parts and any(p is type(None) for p in parts):
        return [w for p in parts for w in _words_in(p)]
    return []


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_plain(v) for v in value) + "]"
    return str(value)


# --- environment ----------------------------------------------------------------------------


def environment() -> str:
    """Return the page of every environment variable that code or manifests name."""
    from serving.settings import ServerSettings

    notes = _notes("environment.yaml")
    named = _variables()
    server = attributes(ServerSettings.__doc__)
    rows = [
        (f"`{name}`", notes.get(name, ""), ", ".join(f"`{p}`" for p in named.get(name, ())))
        for name in sorted({*named, *notes})
    ]
    limits = [
        (
            f"`INVOPT_SERVER_{f.name.upper()}`",
            server.get(f.name, ""),
            f"`{f.default}`" if f.default != "" else "none",
        )
        for f in fields_of(ServerSettings)
        if f.name not in ("host", "port", "grpc_port")
    ]
    return "\n\n".join([
        "# Environment variables", _MADE.format(source="`serving/settings.py` and the sources"),
        "A deployment is described by its environment, a run by its configuration. On one machine "
        "nothing has to be set: every store is a file of the workspace.",
        table(("variable", "meaning and default", "read in"), rows),
        "## Limits of a server", "Read by `invopt serve` and `python -m serving`.",
        table(("variable", "meaning", "default"), limits),
    ])  # fmt: skip


def _variables() -> dict[str, list[str]]:
    """Return the variables of ours that Python names as a whole, with the files that do."""
    found: dict[str, set[str]] = {}
    own = re.compile(r"(INVOPT_[A-Z_]*[A-Z]|KFP_TOKEN|MLFLOW_TRACKING_URI)")
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if own.fullmatch(node.value) and not node.value.startswith("INVOPT_SERVER_"):
                    found.setdefault(node.value, set()).add(str(path.relative_to(ROOT)))
                elif node.value.startswith("INVOPT_SERVER_IMAGE"):
                    found.setdefault("INVOPT_SERVER_IMAGE", set()).add(str(path.relative_to(ROOT)))
    for path in (ROOT / "feature_repo").glob("*.yaml"):
        for name in re.findall(r"\$\{(INVOPT_[A-Z_]+)", path.read_text()):
            found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return {name: sorted(places) for name, places in found.items()}


def _sources() -> list[Path]:
    return sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))


# --- errors ---------------------------------------------------------------------------------


def errors() -> str:
    """Return the page of what a caller can meet: exceptions, codes, words of an order."""
    from invopt import errors as own
    from invopt.inventory.exceptions import ADVICE
    from serving.api.contract import ErrorCode
    from serving.api.failures import STATUS

    raised = []
    for name, kind in vars(own).items():
        if inspect.isclass(kind) and issubclass(kind, Exception):
            parent = kind.__bases__[0].__name__
            raised.append((f"`invopt.errors.{name}`", f"`{parent}`", summary(kind.__doc__)))
    comments = _comments(Path(inspect.getfile(ErrorCode)))
    codes = [(f"`{c.value}`", STATUS.get(c, "of one instance, in an answer 200"),
              comments.get(c.value, "")) for c in ErrorCode]  # fmt: skip
    return "\n\n".join([
        "# Errors and exceptions",
        _MADE.format(source="`invopt/errors.py`, `serving/api`, `invopt/inventory/exceptions.py`"),
        "Three things bear these names: what the library raises, what the endpoint answers, and "
        "what a planner should look at.",
        "## Raised by the library",
        "A message says what was expected, what was found, where, how often, and what to do. The "
        "command line prints it and ends with status 1. Anything else that is raised is a defect "
        "of invopt.",
        table(("exception", "is a", "raised when"), raised),
        "## Answered by the endpoint",
        'Every failure is `{"error": sentence, "code": word}`; [serving](../serving.md) says which '
        "fault leads to which.",
        table(("code", "HTTP status", "note"), codes),
        "## Exceptions of an order",
        "Words of the column `exception` in `orders.csv` and of `exceptions.csv`; "
        "[inventory](../inventory.md) says when each one is set.",
        table(("word", "what to do"), ((f"`{w}`", _sentence(a)) for w, a in ADVICE.items())),
    ])  # fmt: skip


def _comments(path: Path) -> dict[str, str]:
    """Return the comment behind each `NAME = "value"` of a file, without a status number."""
    found = re.findall(r'= "(\w+)"\s*# (.*)', path.read_text())
    return {value: re.sub(r"^\d+:?\s*", "", comment) for value, comment in found}


# --- files and columns ----------------------------------------------------------------------


def files() -> str:
    """Return the page of what runs write, and of the tables that cross a border."""
    from invopt import contracts

    notes = _notes("files.yaml")
    text = [
        "# Files and columns", _MADE.format(source="`invopt/contracts.py`"),
        "## Files", table(("file", "written by", "holds"),
                          ((f"`{name}`", note["by"], note["holds"])
                           for name, note in notes["files"].items())),
        "## Tables",
        "The tables that cross a border, each checked where it is read or written. Further columns "
        "are kept. Your own names and units are brought to these by the mapping "
        "([your data](../your-data.md)); what an order's columns mean is in "
        "[inventory](../inventory.md#what-an-order-says).",
    ]  # fmt: skip
    columns = notes["columns"]
    for name, model in vars(contracts).items():
        if not _is_contract(model, contracts):
            continue
        schema = model.to_schema()
        rows = [
            (f"`{c.name}`", _type_of(c), "yes" if c.required else "", "yes" if c.nullable else "",
             _checks(c), columns.get(c.name, ""))
            for c in schema.columns.values()
        ]  # fmt: skip
        key = ", ".join(schema.unique or [c.name for c in schema.columns.values() if c.unique])
        text += [
            f"### {name}", summary(model.__doc__) + (f" Key: {key}." if key else ""),
            table(("column", "type", "required", "may be empty", "allowed", "meaning"), rows),
        ]  # fmt: skip
    return "\n\n".join(text)


def _is_contract(model: Any, module: Any) -> bool:
    return (
        inspect.isclass(model)
        and model.__module__ == module.__name__
        and hasattr(model, "to_schema")
        and not model.__name__.startswith("_")
    )


def _type_of(column: Any) -> str:
    name = str(column.dtype)
    words = {"str": "text", "string": "text", "datetime": "date", "float": "number",
             "int": "whole number", "bool": "true or false"}  # fmt: skip
    return next((word for part, word in words.items() if part in name), name)


def _checks(column: Any) -> str:
    signs = {"greater_than_or_equal_to": ">=", "greater_than": ">",
             "less_than_or_equal_to": "<=", "less_than": "<"}  # fmt: skip
    return ", ".join(
        f"{signs[c.name]} {next(iter(c.statistics.values())):g}"
        for c in column.checks
        if c.name in signs
    )


# --- metrics --------------------------------------------------------------------------------


def metrics() -> str:
    """Return the page of the metrics that a server and a monitoring run give to Prometheus."""
    from prometheus_client import Counter, Histogram
    from prometheus_client.metrics import MetricWrapperBase

    from serving.api import metrics as served

    rows = []
    for metric in vars(served).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        name = metric._name + ("_total" if isinstance(metric, Counter) else "")
        kind = type(metric).__name__.lower()
        name += " (`_bucket`, `_sum`, `_count`)" if isinstance(metric, Histogram) else ""
        name = re.sub(r"^(\S+)", r"`\1`", name)
        rows.append((name, kind, ", ".join(f"`{n}`" for n in metric._labelnames),
                     _sentence(metric._documentation)))  # fmt: skip
    return "\n\n".join([
        "# Metrics",
        _MADE.format(source="`serving/api/metrics.py` and `invopt/report/monitoring_page.py`"),
        "In Prometheus' text format. Alerts that rest on them are in "
        "`k8s/components/monitoring/alert-rules.yaml`, each with its "
        "[runbook](../runbooks/README.md).",
        "## Of a server", "At `/metrics` of every replica; KServe's own metrics stand beside them.",
        table(("metric", "kind", "labels", "meaning"), rows),
        "## Of a monitoring run",
        "Written to `WORKSPACE/monitoring` after every run and served by the monitoring pod on a "
        "cluster; all are gauges with the label `model`.",
        table(("metric", "labels", "meaning"), _gauges()),
    ])  # fmt: skip


def _gauges() -> list[tuple[str, str, str]]:
    """Return the gauges of prometheus_text, read from a decision with one of everything."""
    from invopt.report.monitoring_page import prometheus_text

    text = prometheus_text(_any_decision(), "demo")
    found: dict[str, tuple[str, set[str]]] = {}
    about = dict(re.findall(r"# HELP (\S+) (.*)", text))
    for name, labels in re.findall(r"^(invopt_\w+)\{(.*)\} ", text, flags=re.M):
        known = found.setdefault(name, (about[name], set()))[1]
        known.update(re.findall(r'(\w+)="', labels))
    return [
        (f"`{name}`", ", ".join(f"`{n}`" for n in sorted(labels - {"model"})), help_)
        for name, (help_, labels) in found.items()
    ]


class _Anything(dict[str, Any]):
    """A decision that has every number asked of it, so that every gauge is written."""

    def __missing__(self, key: str) -> Any:
        return 1.0


def _any_decision() -> dict[str, Any]:
    signal = _Anything(name="drift", kind="data", cause="drift up", fires=True, pages=True)
    return _Anything(
        decision="page",
        decided_at="2026-01-01T00:00:00+00:00",
        acknowledged=[_Anything(causes=["drift up"], in_force=True)],
        signals=[signal],
        drift=[_Anything(column="price")],
        trend=[_Anything()],
        governor=_Anything(paged=["drift up"], brakes=[], cause="drift up"),
    )


# --- library --------------------------------------------------------------------------------


def library() -> str:
    """Return the page of what `invopt` itself exports."""
    import invopt

    rows, calls = [], []
    for name in invopt.__all__:
        if name.startswith("_"):
            continue
        value = getattr(invopt, name)
        if inspect.isclass(value):
            rows.append((f"`{name}`", summary(value.__doc__).split("\n")[0]))
        else:
            shown = f"{name}{_signature(value)}"
            calls += [f"### {name}", f"```python\n{shown}\n```", _docstring(value)]
    return "\n\n".join([
        "# Library", _MADE.format(source="the docstrings of what `invopt` exports"),
        "`import invopt` loads nothing else until a name is used. The "
        "[quickstart](../quickstart.md) shows the calls at work; modules below "
        "(`invopt.inventory`, `invopt.features` and others) have their own docstrings.",
        "## Calls", *calls, "## Classes", table(("name", "what it is"), rows),
    ])  # fmt: skip


def _signature(call: Callable[..., Any]) -> str:
    signature = inspect.signature(call)
    parts, starred = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred |= one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        parts.append(_short(str(one)))
    end = f") -> {_short(inspect.formatannotation(signature.return_annotation))}"
    text = f"({', '.join(parts)}{end}"
    return text if len(text) < 76 else "(\n    " + ",\n    ".join(parts) + f",\n{end}"


def _short(text: str) -> str:
    """Return an annotation without its modules, and a default that is a function as dots."""
    text = re.sub(r"<function .*? at \w+>", "...", text).replace("'", "")
    return re.sub(r"\b(?:[a-z_]\w*\.)+(\w+)", r"\1", text)


def _docstring(call: Callable[..., Any]) -> str:
    parts = [_sentence(summary(call.__doc__))]
    found = attributes(call.__doc__)
    if found:
        parts.append(table(("argument", "meaning"), ((f"`{k}`", v) for k, v in found.items())))
    raised = re.search(r"Raises:\n((?:    .*\n?)+)", inspect.cleandoc(call.__doc__ or ""))
    if raised:
        parts.append("Raises " + re.sub(r"\s+", " ", raised[1]).strip().replace(": If", " if"))
    return "\n\n".join(parts)


# --- common ---------------------------------------------------------------------------------


def _notes(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return content


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".:!?)" else ".")


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check only name the stale ones."""
    stale = []
    for name, text in pages().items():
        file = FOLDER / name
        if file.is_file() and file.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            file.write_text(text)
    if "--check" in arguments and stale:
        print(f"stale pages under docs/reference: {', '.join(stale)}; run `make docs-reference`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
