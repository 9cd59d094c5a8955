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

    on_hand: Units
    on_order: Units = Field(
        default=0.0, description="Everything under way; at least what arrivals hold."
    )
    backorders: Units = 0.0
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

    lead_time: Annotated[int, Field(ge=0, le=1000)] | None = None
    review_period: Annotated[int, Field(ge=1, le=1000)] | None = None
    cycle_service_level: Annotated[float, Field(gt=0, lt=1)] | None = None
    holding_cost: Money | None = None
    stockout_cost: Money | None = None
    price: Prices | None = None
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

    sales: Annotated[list[Units | None], Field(min_length=1, max_length=2000)] | None = None
    static: dict[Name, Static] = {}
    channels: dict[Name, Periods] = {}


class Instance(_Request):
    """One series to decide on. The name alone is enough."""

    unique_id: Name
    position: Position | None = None
    features: Features | None = None
    what_if: WhatIf | None = None
    explain: bool = False


Asked = Annotated[
    Annotated[Name, Tag("#text")] | Annotated[Instance, Tag("#other")], Discriminator(_is_text)
]


class PredictRequest(_Request):
    """Body of POST /v1/models/NAME:predict; a text stands for an instance with that name."""

    instances: Annotated[list[Asked], Field(min_length=1, max_length=MAX_INSTANCES)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Override(_Answer):
    """What a planner says of a series instead of its forecast, as of the last review."""

    said: str = Field(description="What, by whom and why.")
    mean: list[float] = Field(description="Sales per period that are planned for.")
    order: float | None = Field(default=None, description="Units to order, where that was said.")


class Plan(_Answer):
    """Levels, an order, and what they are expected to cost."""

    lead_time: int
    review_period: int
    critical_ratio: float
    expected_demand: float
    level_quantiles: dict[str, float] = Field(
        description="Quantiles of demand over lead time and review period, by level; whole units "
        "where sales are."
    )
    reorder_point: float | None
    order_up_to_level: float | None
    safety_stock: float | None
    order_quantity: float | None
    expected_holding_cost: float | None
    expected_stockout_cost: float | None = Field(
        description="From the order's arrival to the next one's, for the quantity ordered."
    )
    unavoidable_stockout_units: float | None = Field(
        default=None, description="Expected to be missed before an order placed now arrives."
    )
    unavoidable_stockout_cost: float | None = None
    stockout_in: int | None = Field(
        default=None,
        description="Period after the cutoff, from 1, by which the shelf has most likely been "
        "empty for a customer; null: not before the next order can arrive.",
    )
    cost_of_one_less: float | None = Field(
        default=None,
        description="What one pack less would cost more, where an order was chosen so.",
    )
    cost_of_one_more: float | None = None
    exception: str = Field(
        default="", description="Words of orders.csv about stock and deliveries, joined by ';'."
    )
    reason: str
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

    explains: str = ""
    base: float
    forecast: float
    parts: dict[str, float]
    additivity_error: float


class Degraded(_Answer):
    """Which rung answered when it was not the best one, and why."""

    step: Literal[Step.STALE, Step.LAST_FORECAST, Step.SEASONAL_NAIVE]
    reason: str


class ErrorBody(_Answer):
    """Body of every answer that is not 2xx, and what stands where one plan could not be made."""

    error: str
    code: ErrorCode


class WhatIfPlan(Plan):
    """The plan under the assumptions, with the sales forecast they lead to."""

    mean: list[float]
    difference: dict[str, float | None] = Field(
        default={}, description="What is changed by the assumptions: this plan less the one as is."
    )
    warning: str | None = Field(
        default=None, description="Why the forecast under these assumptions is not to be relied on."
    )


class Decision(Plan):
    """The answer for one series."""

    unique_id: str
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
    on_hand: float | None
    on_order: float | None
    model_version: str
    model: str = Field(
        default="", description="What forecast this: the network, a baseline by name, a fallback."
    )
    segment: str = Field(
        default="",
        description="AX to CZ, as in the latest orders.csv: A earns most, X sells steadily. "
        "Before the first plan it is that of the published sales; empty for a series that is not "
        "published.",
    )
    policy_version: str
    known_at: str = Field(description="When the newest sales were known, ISO 8601.")
    feature_age_s: float
    degraded: Degraded | None
    what_if: WhatIfPlan | ErrorBody | None = None
    attributions: Attributions | None = None


class FailedDecision(ErrorBody):
    """An instance that could not be decided on; the others have their decisions."""

    unique_id: str


class PredictResponse(_Answer):
    """Answer of POST /v1/models/NAME:predict, in the order of the instances."""

    schema_version: str = SCHEMA_VERSION
    predictions: list[Decision | FailedDecision]
