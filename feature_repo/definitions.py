"""What Feast knows: entities, sources, views and services of one published data set.

Which columns there are depends on the data set, so the declarations are built from the layout
that was published with the tables (layout.json); `published.py` has them for `feast apply`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, Float32, Float64, Int64, String

# What Feast is told; it does not enforce it online. The server checks ages by data.max_age_periods.
TIME_TO_LIVE = timedelta(days=60)

series = Entity(
    name="series",
    join_keys=["unique_id"],
    value_type=ValueType.STRING,
    description="One product at one location.",
)
group = Entity(
    name="group",
    join_keys=["group_id"],
    value_type=ValueType.STRING,
    description="LEVEL=GROUP: a region, a category, or everything (all=).",
)

_STOCK = [
    *(Field(name=name, dtype=Float64) for name in ("on_hand", "on_order", "backorders")),
    Field(name="arrivals", dtype=Array(Float32)),
    Field(name="segment", dtype=String),
]
_FORECAST = [
    *(Field(name=name, dtype=Array(Float32)) for name in ("mean", "quantiles", "levels")),
    Field(name="model_version", dtype=String),
]


@dataclass(frozen=True)
class Definitions:
    """Everything to apply."""

    objects: list[Any]

    @classmethod
    def of(cls, layout: dict[str, Any], folder: str) -> "Definitions":
        """Return the declarations for a published layout.

        Args:
            layout: As published: static columns, fields of series and groups, features.
            folder: Where the tables are.
        """
        static = [
            Field(name=name, dtype=String if kind == "text" else Float64)
            for name, kind in layout["static"].items()
        ]
        own = [
            Field(name="sales", dtype=Array(Float32)),
            Field(name="periods_on_sale", dtype=Int64),
            *(Field(name=name, dtype=Array(Float32)) for name in layout["series_fields"]),
        ]
        grouped = [Field(name=name, dtype=Array(Float32)) for name in layout["group_fields"]]
        grouped += [Field(name="periods", dtype=Int64)] if grouped else []
        features = [Field(name=name, dtype=Float32) for name in layout["features"]]
        history = _view(folder, "series_history", series, [*own, *static])
        window = _view(folder, "series_window", series, [*own, *static], online=True)
        position = _view(folder, "stock_position", series, _STOCK, online=True)
        forecast = _view(folder, "last_forecast", series, _FORECAST, online=True)
        snapshot = _view(folder, "series_features", series, features)
        views = [history, window, position, forecast, snapshot]
        services = [
            FeatureService(name="training", features=[history]),
            FeatureService(name="inference", features=[window, position, forecast]),
            FeatureService(name="analysis", features=[snapshot]),
        ]
        if grouped:
            group_history = _view(folder, "group_history", group, grouped)
            group_window = _view(folder, "group_window", group, grouped, online=True)
            views += [group_history, group_window]
            services += [
                FeatureService(name="training_groups", features=[group_history]),
                FeatureService(name="inference_groups", features=[group_window]),
            ]
        return cls([series, group, *views, *services])


def _view(
    folder: str, name: str, entity: Entity, schema: list[Field], *, online: bool = False
) -> FeatureView:
    """Return the view of a published table; rows of one that is online are pushed."""
    source: Any = FileSource(
        name=f"{name}_source",
        path=f"{folder}/{name}",
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    if online:
        source = PushSource(name=f"{name}_push", batch_source=source)
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=TIME_TO_LIVE if online else timedelta(0),
        schema=schema,
        source=source,
        online=online,
    )
