"""What names of files and columns usually mean, and how columns are written in a mapping."""

import re
from dataclasses import dataclass
from typing import Any

from invopt.contracts import PRODUCT_NUMBERS
from invopt.sources.inspect import DATE, ColumnFacts, FileFacts
from invopt.sources.standard import quote

# Words in column names, most telling first.
_WORDS = {
    "product": ("sku", "item", "product", "article", "material", "dept", "department"),
    "location": ("store", "shop", "location", "warehouse", "site", "branch", "agency", "outlet"),
    "y": ("quantity", "qty", "units", "sales", "sold", "demand", "volume", "amount"),
    "price": ("unit_price", "sell_price", "price"),
    "discount": ("discount", "markdown", "rebate"),
    "hours_out_of_stock": ("hours_out",),
    "in_stock": ("in_stock", "available"),
    "on_order": ("on_order", "in_transit", "ordered"),
    "backorders": ("backorder", "back_order"),
    "reorder_point": ("reorder",),
    "lead_time": ("lead_time", "lead time", "leadtime", "lead"),
    "on_hand": ("on_hand", "onhand", "end inventory", "closing", "stock", "inventory"),
    "unit_cost": ("unit_cost", "purchase_price", "cost"),
    "list_price": ("list_price", "price"),
    "shelf_life": ("shelf",),
    "pack_size": ("pack",),
    "min_order": ("min_order", "moq"),
}
STOCK_ROLES = ("hours_out_of_stock", "in_stock", "on_order", "reorder_point", "lead_time",
               "on_hand")  # fmt: skip
POSITION_ROLES = ("on_order", "backorders", "lead_time", "on_hand")
PRODUCT_ROLES = ("unit_cost", "list_price", "shelf_life", "pack_size", "min_order", "lead_time")
WIDE_ROLES = ("in_stock", "hours_out_of_stock", "price", "discount", "on_hand")
_DOMAINS = {
    "stock": ("stock", "inventory", "on_hand", "warehouse"),
    "promotions": ("promo", "campaign", "markdown", "offer", "discount"),
    "customers": ("customer", "visit", "loyalty", "segment"),
    "market": ("market", "competitor", "price", "industry"),
}
_SERIES = ("unique_id", "series", "series_id", "item_store", "store_item")
_MEASURES = r"size|weight|area|height|width|length|volume|age\b|capacity|floor|price|cost"


@dataclass(frozen=True)
class Keys:
    """Columns that name a row's series: its product and place, or the series itself."""

    product: str | None
    location: str | None
    series: str | None

    @classmethod
    def of(cls, file: FileFacts) -> "Keys":
        """Return the keys of a file by the names of its columns."""
        names = [c.name for c in file.columns if c.kind != DATE]
        series = next((n for n in names if n.lower() in _SERIES), None)
        return cls(by_word(names, "product"), by_word(names, "location"), series)

    @property
    def roles(self) -> dict[str, str]:
        """Column by what it names, product first."""
        both = {"product": self.product, "location": self.location}
        return {role: name for role, name in both.items() if name is not None}

    @property
    def there(self) -> list[str]:
        """The columns of product and place."""
        return list(self.roles.values())

    @property
    def columns(self) -> dict[str, str]:
        """The keys as columns of products."""
        return {role: named(name) for role, name in self.roles.items()}

    @property
    def expression(self) -> str:
        """The name of a series."""
        return named(self.series) if self.series else " || '_' || ".join(map(named, self.there))


def by_word(names: list[str], role: str) -> str | None:
    """Return the name that most likely plays a role."""
    for word in _WORDS[role]:
        for name in names:
            if word in name.lower():
                return name
    return None


def roles_of(names: list[str], roles: tuple[str, ...]) -> dict[str, str]:
    """Return the role of each name, or its own name; each role is given once."""
    left = dict.fromkeys(roles)
    found = {}
    for name in names:
        limits = re.search(r"safety|min_|max_|target", name.lower()) is not None
        role = next((r for r in left if by_word([name], r) and not (limits and r == "on_hand")), "")
        left.pop(role, None)
        found[name] = role or name
    return found


def domain_of(file: FileFacts) -> str:
    """Return the domain that a file's name and columns speak of first."""
    text = f"{file.name} {' '.join(c.name for c in file.columns)}".lower()
    found = {d: [text.find(w) for w in words if w in text] for d, words in _DOMAINS.items()}
    placed = {domain: min(at) for domain, at in found.items() if at}
    return min(placed, key=lambda d: placed[d]) if placed else "external"


def named(column: str) -> str:
    """Return a column as an expression: its name, quoted where it is not one word."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else quote(column)


def number_entry(column: ColumnFacts) -> str:
    """Return the expression of a number."""
    if not column.comma:
        return named(column.name)
    return f"num(replace(replace({quote(column.name)}, '.', ''), ',', '.'))"


def attribute_entry(column: ColumnFacts, name: str, *, is_number: bool) -> Any:
    """Return an attribute of products: a number where it measures something, else a category."""
    measures = column.has_fraction or re.search(_MEASURES, column.name.lower()) is not None
    if is_number and measures and name not in PRODUCT_NUMBERS:
        return {"expr": number_entry(column), "type": "number"}
    return number_entry(column) if is_number else named(column.name)


def date_entry(date: ColumnFacts) -> Any:
    """Return the expression of a date."""
    expr = named(date.name)
    return expr if date.format is None else {"expr": expr, "format": date.format}
