"""What a planner's page may send, and what of it is refused."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from invopt.config import explain_validation
from invopt.inventory.assumptions import Assumptions

_FIRST_YEAR, _LAST_YEAR = 1900, 2199
PlannerText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Number = Annotated[int, Field(ge=0, lt=1 << 53)]  # of a row; the database holds no larger one


def _on_a_calendar(text: str) -> str:
    """Return a date as it is; planning reads it later, and stops at one that does not exist."""
    try:
        year = date.fromisoformat(text).year
    except ValueError as err:
        raise ValueError("it is no date of the calendar: write it as YYYY-MM-DD") from err
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"a year is between {_FIRST_YEAR} and {_LAST_YEAR}")
    return text


Date = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_on_a_calendar)
]


class PageBody(BaseModel):
    """Anything that the page sends."""

    model_config = ConfigDict(extra="forbid")


class DecisionBody(PageBody):
    """A decision: of which review and version it was made looking at."""

    review_date: Date
    unique_id: PlannerText
    version: Number
    state: Literal["open", "accepted", "changed", "snoozed", "rejected"]
    quantity: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    who: PlannerText
    why: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _quantity_where_changed(self) -> "DecisionBody":
        if (self.state == "changed") != (self.quantity is not None):
            raise ValueError("a changed order needs a quantity, and only a changed one has it")
        return self


class UndoBody(PageBody):
    """Back to what stood before a version."""

    review_date: Date
    unique_id: PlannerText
    version: Annotated[Number, Field(ge=1)]
    who: PlannerText


class OverrideBody(PageBody):
    """A planner's demand: units over the dates, or a factor on the forecast."""

    review_date: Date
    unique_id: PlannerText
    first: Date
    last: Date
    kind: Literal["demand", "factor"]
    value: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    who: PlannerText
    why: PlannerText

    @model_validator(mode="after")
    def _in_range(self) -> "OverrideBody":
        if self.last < self.first:
            raise ValueError(f"it ends on {self.last}, before it begins on {self.first}")
        if self.last <= self.review_date:
            raise ValueError(f"it ends on {self.last}; the forecast begins after the review")
        if self.kind == "factor" and self.value > 100:
            raise ValueError(f"a factor is at most 100, got {self.value:g}: is it a demand?")
        return self


class WithdrawalBody(PageBody):
    """An override taken back."""

    id: Number
    who: PlannerText


class AssumptionsBody(PageBody):
    """What a planner assumes, of which series."""

    review_date: Date
    column: Literal["", "unique_id", "product", "location", "supplier", "category"] = ""
    value: str = Field(default="", max_length=200)
    lead_time_times: float = Field(default=1, ge=0, le=10, allow_inf_nan=False)
    lead_time_added: int = Field(default=0, ge=-365, le=365)
    price_times: float = Field(default=1, ge=0.1, le=10, allow_inf_nan=False)
    service_level: float | None = Field(default=None, ge=0.5, le=0.9999, allow_inf_nan=False)
    budget: float | None = Field(default=None, ge=0, le=1e15, allow_inf_nan=False)
    with_overrides: bool = False

    @model_validator(mode="after")
    def _something(self) -> "AssumptionsBody":
        if bool(self.column) != bool(self.value):
            raise ValueError("say which series: a column and its value, or neither for all")
        if self.assumptions.is_nothing and not self.with_overrides:
            raise ValueError("nothing is assumed: change lead time, price, service or budget")
        return self

    @property
    def assumptions(self) -> Assumptions:
        """What is assumed."""
        said = self.model_dump(exclude={"review_date", "with_overrides", "name", "who", "why"})
        return Assumptions(**said)


class ScenarioBody(AssumptionsBody):
    """Assumptions that are kept under a name."""

    name: PlannerText
    who: PlannerText
    why: str = Field(default="", max_length=1000)


class KeptScenarioBody(PageBody):
    """A scenario that is removed, brought back, taken as orders, or given back."""

    review_date: Date
    id: Number
    who: PlannerText


def explained_body(err: ValidationError) -> str:
    """Say what is wrong with a body, its whole content not repeated."""
    whole = [f for f in err.errors() if not f["loc"]]
    if not whole:
        return explain_validation(err)
    return "; ".join(f["msg"].removeprefix("Value error, ") for f in whole)
