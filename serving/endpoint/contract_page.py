"""The published contract as a page that loads nothing, so that it works without a network."""

import html
import json
from collections.abc import Iterator
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: #f5f5f4; padding: .75rem; overflow-x: auto; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; }
th, td { border-bottom: 1px solid #ddd; }
.method { color: #fff; background: #24577a; border-radius: .3rem; padding: .1rem .45rem; }
summary { cursor: pointer; padding: .35rem 0; }
p.about { white-space: pre-line; }
@media (prefers-color-scheme: dark) {
  body { background: #1c1c1e; color: #eee; } pre { background: #2a2a2d; } a { color: #8ec5ff; }
  th, td { border-color: #444; }
}
"""


def page_of(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as one HTML page: operations with examples, then schemas."""
    info = document["info"]
    parts = [
        f"<h1>{_text(info['title'])} {_text(info['version'])}</h1>",
        f"<p class=about>{_text(info['description'])}</p>",
        "<p><a href=/openapi.json>openapi.json</a></p>",
        "<h2>Operations</h2>",
        *_operations(document["paths"]),
        "<h2>Schemas</h2>",
        *_schemas(document["components"]["schemas"]),
    ]
    head = f"<meta charset=utf-8><title>{_text(info['title'])}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>"


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, found in paths.items():
        for method, operation in found.items():
            if method == "parameters":
                continue
            yield (
                f"<details id={_text(operation['operationId'])}><summary><span class=method>"
                f"{method.upper()}</span> <code>{_text(path)}</code> {_text(operation['summary'])}"
                "</summary>"
            )
            if body := operation.get("requestBody"):
                yield f"<p>Request</p>{_media(body['content'])}"
            for status, answer in operation["responses"].items():
                yield f"<p>{status}: {_text(answer['description'])}</p>"
                yield _media(answer.get("content", {}))
            yield "</details>"


def _media(content: dict[str, Any]) -> str:
    """Return the schema's name and the example of a body."""
    found = []
    for medium in content.values():
        kind = _kind(medium["schema"])
        found.append(f"<p>{kind}</p>" if kind.startswith("<a") else "")
        if "example" in medium:
            example = json.dumps(medium["example"], indent=1, ensure_ascii=False)
            found.append(f"<pre>{_text(example)}</pre>")
    return "".join(found)


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        title, about = _text(name), _text(schema.get("description", ""))
        yield f"<h3 id=schema-{title}>{title}</h3><p>{about}</p>"
        if "enum" in schema:
            words = ", ".join(f"<code>{_text(str(word))}</code>" for word in schema["enum"])
            yield f"<p>{words}</p>"
        if "properties" in schema:
            yield "<table><tr><th>field</th><th>kind</th><th>meaning</th></tr>"
            required = schema.get("required", [])
            for field, inner in schema["properties"].items():
                star = " *" if field in required else ""
                yield (
                    f"<tr><td><code>{_text(field)}</code>{star}</td><td>{_kind(inner)}</td>"
                    f"<td>{_text(inner.get('description', ''))}</td></tr>"
                )
            yield "</table>"


def _kind(schema: dict[str, Any]) -> str:
    """Return what a schema takes, in a word or a link."""
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if "const" in schema:
        return f"<code>{_text(str(schema['const']))}</code>"
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return _text(kind)


def _text(text: str) -> str:
    return html.escape(text)
