"""What callers send and get: the one source of the JSON Schema, the OpenAPI and the client.

Units are those of the data: sales in units, money in the currency of prices, times in periods
of the panel (days for daily data), ages in seconds. A number that is not known is null.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

# Of requests and answers: the first number changes where a caller must, the second where fields
# are added.
SCHEMA_VERSION = "2.1"
MAX_INSTANCES = 1000
MAX_EXPLAINED = 10

Name = Annotated[str, Field(min_length=1, max_length=200)]
Units = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Money = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Periods = Annotated[list[Number], Field(min_length=1, max_length=2000)]
# Where a value may be of two kinds, the kind it is of decides which faults are told of it; the
# names of such branches begin with a sign that no field begins with.
BRANCH = "#"


def _is_list(value: Any) -> str:
    return "#list" if isinstance(value, list) else "#one"


def _is_text(value: Any) -> str:
    return "#text" if isinstance(value, str) else "#other"


Prices = Annotated[
    Annotated[Money, Tag("#one")]
    | Annotated[list[Money], Field(min_length=1, max_length=400), Tag("#list")],
    Discriminator(_is_list),
]
Plans = Annotated[
    Annotated[Number, Tag("#one")]
    | Annotated[list[Number], Field(min_length=1, max_length=400), Tag("#list")],
    Discriminator(_is_list),
]
Static = Annotated[
    Annotated[Name, Tag("#text")] | Annotated[Number, Tag("#other")], Discriminator(_is_text)
]


class ErrorCode(StrEnum):
    """Every way a request or one of its instances can fail."""

    INVALID_REQUEST = "invalid_request"  # 400
    UNAUTHORIZED = "unauthorized"  # 401
    NOT_FOUND = "not_found"  # 404
    NOT_ALLOWED = "method_not_allowed"  # 405: of HTTP; the header Allow names what is
    CLOSED = "closed"  # 403: the operation is not offered here
    SLOW_REQUEST = "slow_request"  # 408: the body did not arrive in time
    TOO_LARGE = "too_large"  # 413
    BUSY = "busy"  # 429: the queue is full, try again
    INTERNAL = "internal"  # 500
    UNAVAILABLE = "unavailable"  # 503: no rung of the ladder could answer
    TIMEOUT = "timeout"  # 504
    UNKNOWN_SERIES = "unknown_series"  # of an instance
    BEYOND_HORIZON = "beyond_horizon"  # of an instance: lead time and review period are too long


class Step(StrEnum):
    """Rungs of the ladder an answer can come from, best first."""

    FRESH = "fresh"
    STALE = "stale"
    LAST_FORECAST = "last_forecast"
    SEASONAL_NAIVE = "seasonal_naive"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Position(_Request):
    """Stock as the caller knows it, in place of the feature store's; units."""

    on_hand: Units = Field(description="Units on the shelf.")
    on_order: Units = Field(
        default=0.0, description="Everything under way; at least what arrivals hold."
    )
    backorders: Units = Field(default=0.0, description="Units that customers wait for.")
    arrivals: Annotated[list[Units], Field(max_length=1000)] = Field(
        default=[],
        description="Units under way that arrive at the start of the first period after the "
        "cutoff, the second, ... What is on order beyond them arrives at the first.",
    )

    @property
    def under_way(self) -> float:
        """Everything under way, in units."""
        return max(self.on_order, sum(self.arrivals))


class WhatIf(_Request):
    """What to assume instead; the answer as things are stands beside it.

    A single price or promotion value holds for the whole horizon, a list for its first periods.
    """

    lead_time: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Periods from order to shelf."
    )
    review_period: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Periods from one order to the next."
    )
    cycle_service_level: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Share of order cycles without a stockout, in (0, 1); in place of the costs.",
    )
    holding_cost: Money | None = Field(
        default=None, description="Money per unit left at the end of a period."
    )
    stockout_cost: Money | None = Field(default=None, description="Money per unit not served.")
    price: Prices | None = Field(
        default=None, description="Money per unit; needs a model whose data plan prices ahead."
    )
    promotion: dict[Name, Plans] = Field(
        default={}, description="Channel known ahead, by name, with its planned values."
    )


class Features(_Request):
    """Features in place of, or on top of, the feature store's: a new product, a correction.

    Attributes:
        sales: Latest sales by period, the last one at the feature store's newest period; null
            where not observed. Shorter than the window: on sale only since then.
        static: Columns of the series (category, list_price).
        channels: Values by channel name, the same periods as the store's window.
    """

    sales: Annotated[list[Units | None], Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="Units by period, the latest last; null where not observed."
    )
    static: dict[Name, Static] = Field(
        default={}, description="Columns of the series by name, such as category."
    )
    channels: dict[Name, Periods] = Field(
        default={}, description="Values by channel, the periods of the store's window."
    )


class Instance(_Request):
    """One series to decide on. The name alone is enough."""

    unique_id: Name = Field(description="Name of the series: a product at a place.")
    position: Position | None = Field(
        default=None, description="Your stock; that of the last publication where left out."
    )
    features: Features | None = Field(
        default=None,
        description="Sales and columns of a series that the store does not know, or corrections.",
    )
    what_if: WhatIf | None = Field(
        default=None, description="A second plan under these assumptions, beside the first."
    )
    explain: bool = Field(
        default=False, description="Also answer what the forecast rests on (attributions)."
    )


Asked = Annotated[
    Annotated[Name, Tag("#text")] | Annotated[Instance, Tag("#other")], Discriminator(_is_text)
]


class PredictRequest(_Request):
    """Body of POST /v1/models/NAME:predict; a text stands for an instance with that name."""

    instances: Annotated[list[Asked], Field(min_length=1, max_length=MAX_INSTANCES)] = Field(
        description="Names of series, or objects with unique_id."
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Override(_Answer):
    """What a planner says of a series instead of its forecast, as of the last review."""

    said: str = Field(description="What, by whom and why.")
    mean: list[float] = Field(description="Sales per period that are planned for.")
    order: float | None = Field(default=None, description="Units to order, where that was said.")


class Plan(_Answer):
    """Levels, an order, and what they are expected to cost."""

    lead_time: int = Field(description="Periods from order to shelf.")
    review_period: int = Field(description="Periods from this order to the next.")
    critical_ratio: float = Field(
        description="Share of outcomes that the order should serve, as its costs say."
    )
    expected_demand: float = Field(description="Units over lead time and review period.")
    level_quantiles: dict[str, float] = Field(
        description="Quantiles of demand over lead time and review period, by level; whole units "
        "where sales are."
    )
    reorder_point: float | None = Field(
        description="Largest position at which this review still orders, units."
    )
    order_up_to_level: float | None = Field(description="Position that the order aims at, units.")
    safety_stock: float | None = Field(
        description="Level less expected demand, units; below 0 where sales are lost before."
    )
    order_quantity: float | None = Field(
        description="Units to order now; null where nothing can be said, see reason."
    )
    expected_holding_cost: float | None = Field(
        description="Money, from the order's arrival to the next one's."
    )
    expected_stockout_cost: float | None = Field(
        description="From the order's arrival to the next one's, for the quantity ordered."
    )
    unavoidable_stockout_units: float | None = Field(
        default=None, description="Expected to be missed before an order placed now arrives."
    )
    unavoidable_stockout_cost: float | None = Field(default=None, description="The same in money.")
    stockout_in: int | None = Field(
        default=None,
        description="Period after the cutoff, from 1, by which the shelf has most likely been "
        "empty for a customer; null: not before the next order can arrive.",
    )
    cost_of_one_less: float | None = Field(
        default=None,
        description="What one pack less would cost more, where an order was chosen so.",
    )
    cost_of_one_more: float | None = Field(
        default=None, description="What one pack more would cost more."
    )
    exception: str = Field(
        default="", description="Words of orders.csv about stock and deliveries, joined by ';'."
    )
    reason: str = Field(description="The order in a sentence, for people.")
    reason_code: str = Field(
        default="",
        description="below_level, covered, not_worth_it, no_stock_record, "
        "lead_time_beyond_horizon or data_fault.",
    )
    override: Override | None = Field(
        default=None, description="Where a planner says other than the forecast: the plan is that."
    )


class Attributions(_Answer):
    """Why the expected sales over the horizon are what they are: base plus parts, in units."""

    explains: str = Field(default="", description="What base and parts add up to.")
    base: float = Field(description="Units of an average series.")
    forecast: float = Field(description="Base plus all parts, units.")
    parts: dict[str, float] = Field(
        description="Units that each group of inputs adds or takes off."
    )
    additivity_error: float = Field(description="Units by which base and parts miss the forecast.")


class Degraded(_Answer):
    """Which rung answered when it was not the best one, and why."""

    step: Literal[Step.STALE, Step.LAST_FORECAST, Step.SEASONAL_NAIVE] = Field(
        description="The rung: data too old, the last stored forecast, or the season before."
    )
    reason: str = Field(description="Why, for people.")


class ErrorBody(_Answer):
    """Body of every answer that is not 2xx, and what stands where one plan could not be made."""

    error: str = Field(description="What is wrong, for people.")
    code: ErrorCode = Field(description="The same for programs; codes are stable.")


class WhatIfPlan(Plan):
    """The plan under the assumptions, with the sales forecast they lead to."""

    mean: list[float] = Field(description="Expected sales per period under the assumptions.")
    difference: dict[str, float | None] = Field(
        default={}, description="What is changed by the assumptions: this plan less the one as is."
    )
    warning: str | None = Field(
        default=None, description="Why the forecast under these assumptions is not to be relied on."
    )


class Decision(Plan):
    """The answer for one series."""

    unique_id: str = Field(description="Name of the series, as asked.")
    cutoff: str = Field(description="Last period with sales, YYYY-MM-DD.")
    frequency: str = Field(default="", description="Of the periods: D, W-SUN, MS, ...")
    dates: list[str] = Field(default=[], description="First day of each period of mean.")
    currency: str | None = Field(
        default=None, description="Of money, as inventory.currency or data.currency says."
    )
    mean: list[float] = Field(description="Expected sales per period after the cutoff.")
    quantiles: dict[str, list[float]] = Field(
        description="By level, per period; whole units where sales are."
    )
    on_hand: float | None = Field(
        description="Units on the shelf that the plan starts from; null where not known."
    )
    on_order: float | None = Field(description="Units under way that it starts from, all of them.")
    model_version: str = Field(description="Model and version that ordered, such as demo-3.")
    model: str = Field(
        default="", description="What forecast this: the network, a baseline by name, a fallback."
    )
    segment: str = Field(
        default="",
        description="AX to CZ, as in the latest orders.csv: A earns most, X sells steadily. "
        "Before the first plan it is that of the published sales; empty for a series that is not "
        "published.",
    )
    policy_version: str = Field(
        description="Policy and a hash of its costs and rules: equal ones order alike."
    )
    known_at: str = Field(description="When the newest sales were known, ISO 8601.")
    feature_age_s: float = Field(description="Seconds since known_at.")
    degraded: Degraded | None = Field(
        description="Null unless a lower rung answered or the data are too old."
    )
    what_if: WhatIfPlan | ErrorBody | None = Field(
        default=None,
        description="The plan under the assumptions, or why there is none; null if not asked.",
    )
    attributions: Attributions | None = Field(
        default=None, description="What the forecast rests on; null where explain was not asked."
    )


class FailedDecision(ErrorBody):
    """An instance that could not be decided on; the others have their decisions."""

    unique_id: str = Field(description="Name of the series, as asked.")


class PredictResponse(_Answer):
    """Answer of POST /v1/models/NAME:predict, in the order of the instances."""

    schema_version: str = Field(
        default=SCHEMA_VERSION,
        description="Of this contract; its first number changes when a caller has to.",
    )
    predictions: list[Decision | FailedDecision] = Field(
        description="A decision or an error for each instance, in the order asked."
    )
