"""Draws docs/pictures/serving-rooms.svg: `python -m tests.rooms BEFORE`, a checkout of before.

Left every module of `serving` before, a floor above all that it imports; right its rooms now. A
line is an import, inside functions too.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

from tests.house import modules

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "pictures" / "serving-rooms.svg"
ROOMS = (("programs",), ("endpoint", "loop", "workbench"), ("deployment",), ("answers",),
         ("stores", "cluster"), ("api",), ("ground",))  # fmt: skip
GROUND = ("settings", "machine", "progress", "transient", "libraries")
_STYLE = """
 .box{fill:#dfe8ff;stroke:#2f5bd0;stroke-width:1.4}.dot{fill:#5b6b8c}
 .wire{stroke:#5b6b8c;stroke-width:.6;opacity:.45}.arrow{stroke:#5b6b8c;stroke-width:1.4}
 .t{font:600 13px system-ui,sans-serif;fill:#1c2433;text-anchor:middle}
 .s{font:11.5px system-ui,sans-serif;fill:#4b5770;text-anchor:middle}
 @media (prefers-color-scheme:dark){.box{fill:#1d2f5e;stroke:#7ea2ff}.dot{fill:#8291b0}
 .wire,.arrow{stroke:#8291b0}.t{fill:#e8ecf5}.s{fill:#a9b4cb}}
"""


def imports(root: Path) -> dict[str, set[str]]:
    """Return which modules of serving each of them imports, without its packages' own files."""
    trees = {n: t for n, t in modules(root).items() if n.startswith("serving.")}
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        seen = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                seen |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                seen |= {alias.name for alias in node.names}
        found[name] = {other for other in seen if other in trees and other != name}
    packages = {n for n in found if any(o.startswith(f"{n}.") for o in found)}
    return {n: seen - packages for n, seen in found.items() if n not in packages}


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Return how many floors stand below each module: one more than below what it imports."""
    found: dict[str, int] = {}

    def of(name: str, above: tuple[str, ...] = ()) -> int:
        if name not in found:
            below = [o for o in arrows[name] if o not in above]  # soft circles count once
            found[name] = 1 + max((of(o, (*above, name)) for o in below), default=-1)
        return found[name]

    for name in arrows:
        of(name)
    return found


def room_of(module: str) -> str:
    """Return the room of a module of serving now; programs and the ground floor have no folder."""
    parts = module.split(".")
    if len(parts) > 2:
        return parts[1]
    return "deployment" if parts[1] == "deployment" else (
        "ground" if parts[1] in GROUND else "programs")  # fmt: skip


def between(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return which rooms each room imports from."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, others in arrows.items():
        found[room_of(name)] |= {room_of(other) for other in others} - {room_of(name)}
    return found


def _before(arrows: dict[str, set[str]]) -> list[str]:
    height = floors(arrows)
    rows = [[n for n in sorted(height) if height[n] == f] for f in range(max(height.values()) + 1)]
    place = {
        name: (210 + (at - (len(row) - 1) / 2) * min(26, 380 / len(row)), 400 - 38 * floor)
        for floor, row in enumerate(rows)
        for at, name in enumerate(row)
    }
    lines = [
        f'<line class="wire" x1="{place[a][0]:.0f}" y1="{place[a][1]}" '
        f'x2="{place[b][0]:.0f}" y2="{place[b][1]}"/>'
        for a, others in sorted(arrows.items())
        for b in sorted(others)
    ]
    dots = [f'<circle class="dot" cx="{x:.0f}" cy="{y}" r="4"/>' for x, y in place.values()]
    about = f"{len(arrows)} modules, {sum(map(len, arrows.values()))} arrows, {len(rows)} floors"
    return [*lines, *dots, _text(210, 22, "before", "t"), _text(210, 440, about, "s")]


def _after(arrows: dict[str, set[str]]) -> list[str]:
    number, pairs = defaultdict(int), between(arrows)
    for name in arrows:
        number[room_of(name)] += 1
    place = {
        room: (680 + (at - (len(row) - 1) / 2) * 200, 62 + 56 * floor)
        for floor, row in enumerate(ROOMS)
        for at, room in enumerate(row)
    }
    lines = [
        f'<line class="arrow" x1="{place[a][0]:.0f}" y1="{place[a][1] + 17}" '
        f'x2="{place[b][0]:.0f}" y2="{place[b][1] - 17}"/>'
        for a in pairs
        for b in sorted(pairs[a])
    ]
    boxes = []
    for room, (x, y) in place.items():
        what = f"{room}: {number[room]} module{'s' * (number[room] != 1)}"
        box = f'class="box" x="{x - 90:.0f}" y="{y - 17}" width="180" height="34" rx="6"'
        boxes += [f"<rect {box}/>", _text(x, y + 4, what, "t")]
    about = f"{len(place)} rooms, {sum(map(len, pairs.values()))} arrows between them"
    return [*lines, *boxes, _text(680, 22, "now", "t"), _text(680, 440, about, "s")]


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{text}</text>'


def main(arguments: list[str]) -> int:
    """Draw; prints the figures."""
    before, now = imports(Path(arguments[0])), imports(ROOT)
    body = [*_before(before), *_after(now)]
    OUT.write_text("\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 990 456" width="990" height="456" '
        'role="img" aria-label="Rooms of serving, before and now">',
        "<title>Rooms of serving, before and now</title>", f"<style>{_STYLE}</style>", *body,
        "</svg>", "",
    ]))  # fmt: skip
    print(*(line.split(">")[1].split("<")[0] for line in body if 'class="s"' in line), sep="\n")
    upward = [(a, b) for a, others in between(now).items() for b in others
              if _floor(a) >= _floor(b)]  # fmt: skip
    print("upward or beside:", *upward)
    return 0


def _floor(room: str) -> int:
    return next(number for number, row in enumerate(ROOMS) if room in row)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
