"""The configuration of a run: frozen sections, every field with its unit.

A run is one complete YAML file under pipelines/configs. Deployment facts (endpoints, buckets,
images) are not here; they come from the environment of the process that runs a step.
"""

import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from invopt.deployment_config import ClusterConfig, DeploymentConfig
from invopt.errors import ConfigError


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            "a name has letters, digits, - and _, and begins with one of the first two"
        )
    return name


EXCEPT = "!"  # before a pattern of names: what it fits is left out
# Of runs, models and data sets: it becomes part of paths, URLs and filters.
Name = Annotated[str, AfterValidator(_checked_name)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, parameter: Mapping[str, Any]) -> Self:
        """Return the section that a step's parameter holds as plain data.

        Raises:
            ConfigError: If it is refused; every fault is named.
        """
        try:
            return cls.model_validate(parameter)
        except ValidationError as err:
            raise ConfigError(
                f"the step's parameter is no {cls.__name__}: {explain_validation(err, cls)}. "
                "Compile and submit the pipeline with the version of invopt that runs its steps."
            ) from err


class SyntheticConfig(_Section):
    """Size of the made-up retailer, for a run without data of your own."""

    num_products: int = Field(default=50, ge=1)
    num_stores: int = Field(default=10, ge=1)
    num_days: int = Field(default=730, ge=120)
    seed: int = Field(default=0, ge=0)


class DataConfig(_Section):
    """Where the data come from.

    Attributes:
        mapping: Mapping file of the data set, relative to the configuration file.
        max_quarantine_share: Share of faulty rows above which the run fails.
        max_age_periods: Periods between the last sales and the review date above which the
            data are stale; None where the data have an end of their own (a closed data set).
        min_volume: Rows of the latest periods, and filled share of channels, over the usual ones;
            below it, or its square for units, the data are suspect.
        max_orphan_share: Share of a table's rows, or of series, without a partner.
        max_jump: Robust deviations of a channel's latest mean from the means before.
        suspect: "report" leaves failed checks to the gate; "refuse" ends the run at ingest.
        currency: Of every price and cost, as it is told beside money (EUR, USD).
        synthetic: Make data of this size when no data folder is given.
    """

    mapping: str
    max_quarantine_share: float = Field(default=0.01, ge=0, le=1)
    max_age_periods: int | None = Field(default=None, ge=0)
    min_volume: float = Field(default=0.5, gt=0, lt=1)
    max_orphan_share: float = Field(default=0.2, ge=0, le=1)
    max_jump: float = Field(default=20.0, gt=0)
    suspect: Literal["report", "refuse"] = "report"
    currency: str | None = None
    synthetic: SyntheticConfig | None = None


class CleaningConfig(_Section):
    """Rules from records to demand.

    Attributes:
        launch: A series is on sale from its first positive sale, or from its first record.
        censor_below_stock: On-hand stock at or below which a period is censored.
        outlier_deviations: Deviations above the mean of the periods before that mark an outlier;
            one or two peaks like it are left out of both.
        outlier_window: Periods before that are compared.
        price_limit: Factor over or under the series' median price beyond which a price is a
            mistake and is dropped.
    """

    launch: Literal["first_sale", "first_record"] = "first_sale"
    censor_below_stock: float = Field(default=0.0, ge=0)
    outlier_deviations: float = Field(default=8.0, gt=0)
    outlier_window: int = Field(default=28, ge=5)
    price_limit: float = Field(default=10.0, gt=1)


class FeaturesConfig(_Section):
    """What the model sees.

    Attributes:
        horizon: Periods forecast.
        patch: Periods per encoder step (7 turns days into weeks).
        context_steps: Encoder steps.
        windows: Periods of the moving averages, ascending.
        offset_weights: Weight of each window's average in the level a forecast starts from.
        static: Columns of products the model uses; text is embedded. Names or patterns.
        channels: Channels the model uses; names or patterns; "!NAME" leaves one out.
        aggregates: Column sets whose total sales become channels, for the trend of a group.
        year_harmonics: Fourier pairs over the year.
        month_harmonics: Fourier pairs over the month (daily data).
        month_of_year: One indicator per month, for demand that steps where a month begins.
        day_of_week: One indicator per weekday (daily data).
        monthly_sales: Months of history whose average sales per month are a feature; 0 for none.
        year_before: How a year before each period compares with its quarters around is a channel
            known ahead; where the encoder does not reach back a year.
        event_channels: Known channels that also act before and after; names or patterns.
        event_leads: Periods before (positive) and after (negative) at which they act.
        daily_periods: Latest periods kept as a plain feature table (drift, analysis).
    """

    horizon: int = Field(default=28, ge=1)
    patch: int = Field(default=7, ge=1)
    context_steps: int = Field(default=26, ge=2)
    windows: tuple[int, ...] = (7, 28, 112)
    offset_weights: tuple[float, ...] = (0.0, 0.5, 0.5)
    static: tuple[str, ...] = ("*",)
    channels: tuple[str, ...] = ("*",)
    aggregates: tuple[tuple[str, ...], ...] = ()
    year_harmonics: int = Field(default=3, ge=0)
    month_harmonics: int = Field(default=2, ge=0)
    month_of_year: bool = False
    day_of_week: bool = True
    monthly_sales: int = Field(default=0, ge=0)
    year_before: bool = False
    event_channels: tuple[str, ...] = ()
    event_leads: tuple[int, ...] = ()
    daily_periods: int = Field(default=84, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> "FeaturesConfig":
        if len(self.offset_weights) != len(self.windows):
            raise ValueError("offset_weights needs one weight per window")
        if list(self.windows) != sorted(set(self.windows)) or min(self.windows) < 1:
            raise ValueError("windows must ascend and be positive")
        if sum(self.offset_weights) <= 0:
            raise ValueError("offset_weights must not all be 0")
        return self

    @property
    def context_length(self) -> int:
        """Periods the encoder sees."""
        return self.patch * self.context_steps

    @property
    def num_future(self) -> int:
        """Periods after the cutoff of which channels known ahead are looked at."""
        return self.horizon + max(0, *self.event_leads, 0)

    @property
    def lookback(self) -> int:
        """Periods before the cutoff that any feature depends on."""
        return self.context_length + max(self.windows)


class ModelConfig(_Section):
    """The network.

    Attributes:
        hidden_size: LSTM cells per layer.
        num_layers: LSTM layers.
        decoder_size: Width of the decoder's hidden layer.
        dropout: Share of context values dropped in training.
        loss: Likelihood of the mean head on unscaled counts.
        tweedie_power: Between 1 (Poisson) and 2 (gamma).
        quantile_levels: Of sales per period, ascending.
        level_quantiles: Of demand summed over 1..horizon periods, ascending.
        unknown_share: Share of training windows whose static ids read "unknown", so that a
            series never seen is forecast from what is known of it.
    """

    hidden_size: int = Field(default=64, ge=4)
    num_layers: int = Field(default=1, ge=1)
    decoder_size: int = Field(default=32, ge=4)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    loss: Literal["tweedie", "poisson"] = "tweedie"
    tweedie_power: float = Field(default=1.2, gt=1, lt=2)
    quantile_levels: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    level_quantiles: tuple[float, ...] = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
    unknown_share: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _levels(self) -> "ModelConfig":
        for name in ("quantile_levels", "level_quantiles"):
            levels = getattr(self, name)
            if list(levels) != sorted(set(levels)) or not 0 < levels[0] <= levels[-1] < 1:
                raise ValueError(f"{name} must ascend inside (0, 1)")
            if len(levels) < 2:
                raise ValueError(f"{name} must be two levels at least: one says nothing of a tail")
        return self


class TrainingConfig(_Section):
    """How the network is trained.

    Attributes:
        max_minutes: Budget of the whole step, wall clock.
        max_steps: Optimiser steps per member at most; None leaves it to the minutes.
        num_members: Networks trained on different seeds and averaged.
        num_workers: Members trained at the same time, one thread each.
        num_processes: Processes that share the training of one member (DDP).
        num_nodes: Machines, when the step runs as a TrainJob. Trials and folds train in one
            process on one machine.
        batch_size: Series per step; every series gives a forecast at each of its origins.
        fork_every: Encoder steps between origins.
        fork_after: Encoder steps before the first origin.
        origin_strides: Periods between possible window ends, one per member in turn. 7 keeps the
            weekday of the cutoff; 1 has seven times as many windows. Members of both err apart.
        newest_share: Share of training windows that end with the latest periods. Ends drawn evenly
            reach a period from every window that holds it, the latest ones from few.
        learning_rate: Peak.
        weight_decay: Of AdamW.
        gradient_clip: Norm.
        warmup_share: Share of the steps until the peak.
        average_decay: Of the exponential average of the weights.
        loss_weights: "none"; "value": sqrt of price times volume over scale; "relative": one
            over volume, as far as the loss does not weigh by it already.
        heads_share: Share of the budget for the quantile and level heads, trained last on the
            finished trunk.
        precision: "32-true", "bf16-mixed", or "auto": bfloat16 where GPU or processor have
            instructions for it, which pays for wide networks and long windows; else 32 bits.
        checkpoint_minutes: Between checkpoints.
        check_steps: Optimiser steps between checks on a held-out horizon, the last one of the
            training range. Nothing is held out where neither patience nor pruning asks for it.
        patience: Checks without improvement that end training; None trains to the end.
        seed: Of the first member.
        refit: Train once more on every period before the promoted model serves.
        lightgbm: True trains LightGBM beside the network, in at most half of max_minutes more:
            where it decides better, it orders. Not installed, it is left out.
        lightgbm_rows: Known periods of all series from which on it is trained.
    """

    max_minutes: float = Field(default=10.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    num_members: int = Field(default=1, ge=1)
    num_workers: int = Field(default=1, ge=1)
    num_processes: int = Field(default=1, ge=1)
    num_nodes: int = Field(default=1, ge=1)
    batch_size: int = Field(default=64, ge=1)
    fork_every: int = Field(default=2, ge=1)
    fork_after: int = Field(default=8, ge=1)
    origin_strides: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1,), min_length=1)
    newest_share: float = Field(default=0.0, ge=0, le=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    average_decay: float = Field(default=0.998, ge=0, lt=1)
    loss_weights: Literal["none", "value", "relative"] = "none"
    heads_share: float = Field(default=0.25, gt=0, lt=1)
    precision: Literal["32-true", "bf16-mixed", "auto"] = "32-true"
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    check_steps: int = Field(default=100, ge=1)
    patience: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    refit: bool = False
    lightgbm: bool = True
    lightgbm_rows: int = Field(default=5000, ge=0)


class TuningConfig(_Section):
    """The sweep before training.

    Attributes:
        num_trials: Trials; 0 skips the sweep.
        num_workers: Pipeline iterations that share the trials.
        sampler: How trials are proposed.
        max_minutes: Budget of the sweep per worker.
        trial_minutes: Longest trial; a longer one counts as failed.
        trial_steps: Optimiser steps of a trial that is not pruned.
        prune: End trials that a check finds behind the median of the others'.
        space: Field of model, features or training ("model.hidden_size") to its choices, or to
            {low, high, log}.
    """

    num_trials: int = Field(default=0, ge=0)
    num_workers: int = Field(default=1, ge=1)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    max_minutes: float = Field(default=5.0, gt=0)
    trial_minutes: float = Field(default=2.0, gt=0)
    trial_steps: int = Field(default=100, ge=1)
    prune: bool = True
    space: dict[str, tuple[float | int | str, ...] | dict[str, float | bool]] = {}


class EvaluationConfig(_Section):
    """Which windows judge a model. Selection and gate windows never overlap.

    Attributes:
        gate_periods: Latest periods, seen by no training: the gate judges on them.
        selection_periods: Periods before them, for the sweep.
        unjudged_periods: Periods after the gate's, which judge nothing and only the refit learns:
            those since the change that a retraining is for.
        step_size: Periods between the cutoffs of one range.
        gap: Periods between the cutoff and the first period scored.
        num_folds: Earlier ranges as long as the gate's, before the sweep's, on which the recipe is
            trained anew and scored (rolling-origin cross-validation); 0 leaves it out.
        fold_minutes: Training of each of them.
        hierarchy: Column sets by which series add up; [] is the total. Errors of the sums are
            scored by WRMSSE, every level alike; none leaves it out.
    """

    gate_periods: int = Field(default=28, ge=1)
    selection_periods: int = Field(default=28, ge=1)
    unjudged_periods: int = Field(default=0, ge=0)
    step_size: int = Field(default=7, ge=1)
    gap: int = Field(default=0, ge=0)
    num_folds: int = Field(default=0, ge=0)
    fold_minutes: float = Field(default=5.0, gt=0)
    hierarchy: tuple[tuple[str, ...], ...] = ()


class InventoryConfig(_Section):
    """Costs and rules of ordering, where the data give no better.

    Attributes:
        lead_time: Whole periods between the end of the period in which an order is placed and
            the start of the one in which it can be sold.
        review_period: Periods between orders.
        holding_rate: Cost of holding one unit for one period, as a share of its unit cost.
        holding_cost: Cost of holding one unit for one period, in money; overrides the rate.
        stockout_margin: Cost of a lost unit, as a share of its price.
        stockout_cost: Cost of a lost unit in money; overrides the share.
        unit_cost_share: Unit cost as a share of price, where unit_cost is not given.
        price: Price where neither a price nor a unit cost is given; with a unit cost alone it is
            that over unit_cost_share.
        currency: Of all money, as pages write it ("EUR"); none by default.
        lost_sales: Unmet demand is lost (True) or waits (False).
        policy: "auto" lets the stock sell down to the order's arrival on demand paths, unmet demand
            lost or waiting as lost_sales says, and orders what costs least from there to the
            arrival of the next order. "lost_sales" does so with sales lost and looks at the next
            order too; "order_up_to" brings the position up to a quantile of the summed forecast.
        num_paths: Demand paths per series; 5 to 100 times as many where the critical
            ratio or a promised service asks for what is rarer than two or three of them.
        seed: Of those paths.
        holding_periods: Periods a unit left over is charged for by the lost-sales policy. None lets
            the order look at the next one instead, where the horizon holds another review period;
            set it only where replays of past periods show that it costs less.
        order_smoothing: Share of the expected cost of an order's own interval that it may cost more
            to be nearer to the usual order, what sells in a review period: orders change less from
            one review to the next. 0 orders what costs least.
        demand_jump: Expected demand over what was sold of late, or the inverse, from which on a
            planner is asked to look.
        level_change: Share by which a level may differ from the last review's before a planner
            is asked to look.
    """

    lead_time: int = Field(default=7, ge=0)
    review_period: int = Field(default=7, ge=1)
    holding_rate: float = Field(default=0.002, gt=0, allow_inf_nan=False)
    holding_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    stockout_margin: float = Field(default=0.4, gt=0)
    stockout_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    unit_cost_share: float = Field(default=0.6, gt=0)
    price: float = Field(default=1.0, gt=0)
    currency: str = Field(default="", max_length=12)
    lost_sales: bool = True
    policy: Literal["auto", "order_up_to", "lost_sales"] = "auto"
    num_paths: int = Field(default=200, ge=10)
    seed: int = Field(default=0, ge=0)
    holding_periods: float | None = Field(default=None, ge=1)
    order_smoothing: float = Field(default=0.0, ge=0, le=1)
    demand_jump: float = Field(default=3.0, gt=1)
    level_change: float = Field(default=0.5, gt=0)

    @property
    def is_lost(self) -> bool:
        """Whether the policy takes unmet demand as lost."""
        return self.lost_sales or self.policy == "lost_sales"


class GateConfig(_Section):
    """What a challenger must show to be promoted.

    Attributes:
        max_wape_ratio: WAPE over the seasonal-naive's, at most.
        max_bias: Absolute bias as a share of demand.
        coverage_tolerance: Share by which an interval may hold less than its level. One that holds
            more costs money, which is judged.
        max_cost_increase: Share by which cost may exceed the champion's (non-inferiority).
        max_cost_over_baseline: Share by which cost may clearly exceed the cheapest baseline's, if
            that is not the incumbent.
        benefit_of_doubt: True refuses for the whole cost only what is clearly more expensive (the
            lower end of the interval), as for segments: the challenger gets the benefit of the
            doubt.
        segment_cost_increase: The same for any one segment.
        group_loss_increase: Share by which the quantile loss of a group of ten series or more may
            clearly exceed that of the candidate which forecasts the group best; with
            benefit_of_doubt that of the champion.
        max_order_change: Units by which orders may change from one review to the next, as a share
            of the units ordered; None leaves it to the page.
        max_forecast_change: Change of the forecast of the same periods from one review to the next,
            over the usual change of sales, at most; None leaves it to the page.
        fallback: True lets a group of ten series or more fall to a candidate that forecasts it
            better, chosen on the first half of the gate's cutoffs and judged on the second.
        confidence: Of the paired bootstrap interval.
        num_bootstrap: Resamples of series.
    """

    max_wape_ratio: float = Field(default=1.0, gt=0)
    max_bias: float = Field(default=0.15, gt=0)
    coverage_tolerance: float = Field(default=0.08, gt=0, lt=1)
    max_cost_increase: float = Field(default=0.0, ge=0)
    max_cost_over_baseline: float = Field(default=0.02, ge=0)
    benefit_of_doubt: bool = False
    segment_cost_increase: float = Field(default=0.1, ge=0)
    group_loss_increase: float = Field(default=0.1, ge=0)
    max_order_change: float | None = Field(default=None, gt=0)
    max_forecast_change: float | None = Field(default=None, gt=0)
    fallback: bool = True
    confidence: float = Field(default=0.9, gt=0, lt=1)
    num_bootstrap: int = Field(default=1000, ge=100)

    def for_rivals(self) -> "GateConfig":
        """Return the limits for a candidate that nobody trained for: no allowance, no doubt."""
        return self.model_copy(update={"max_cost_increase": 0.0, "benefit_of_doubt": False})


class MonitoringConfig(_Section):
    """What counts as a change of data, forecasts or decisions, and how much is looked at.

    Attributes:
        period: Periods per monitoring period (7: a week of days).
        max_rows: Rows a report looks at: columns of a sample of series, and forecasts of a tenth as
            many series. Samples are seeded and stratified by location and volume.
        min_rows: Series-periods with actuals below which nothing is concluded.
        history: Earlier monitoring periods that limits are learned from, at most.
        min_history: Earlier monitoring periods without which there is no reference yet.
        min_drift: Wasserstein distance, in standard deviations, that is worth telling.
        min_shift: Change of demand over forecast, error over expected error or cost over plan
            that is worth telling, as a share.
        page_cost_ratio: Cost of decisions over plan, against the usual ratio, that pages.
        false_discovery_rate: Share of false alarms among the alarms of one period.
        demand_rate: The same for demand against forecast: the change that is to be found within
            two periods, at the price of an alarm more.
        num_bootstrap: Resamples of a calibration.
        reference_weeks: Monitoring periods to either side of the same one a year before.
        seed: Of samples and resamples.
        max_degraded_share: Share of served decisions answered below full quality that pages.
        max_skew: Relative difference of served and batch forecasts that is told.
    """

    period: int = Field(default=7, ge=1)
    max_rows: int = Field(default=200_000, ge=100)
    min_rows: int = Field(default=50, ge=1)
    history: int = Field(default=78, ge=4)
    min_history: int = Field(default=8, ge=3)
    min_drift: float = Field(default=0.1, gt=0)
    min_shift: float = Field(default=0.05, gt=0)
    page_cost_ratio: float = Field(default=2.0, gt=1)
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    demand_rate: float = Field(default=0.15, gt=0, lt=1)
    num_bootstrap: int = Field(default=500, ge=100)
    reference_weeks: int = Field(default=2, ge=0)
    seed: int = Field(default=0, ge=0)
    max_degraded_share: float = Field(default=0.05, gt=0, le=1)
    max_skew: float = Field(default=0.01, gt=0)


class GovernorConfig(_Section):
    """When evidence may start a training run, and what holds it back.

    Attributes:
        enabled: False never retrains; evidence and alarms go on.
        dry_run: True decides and writes it down, but starts nothing.
        persistence: Monitoring periods in a row a cause has to fire.
        max_p_value: Chance that a signal which asks for a retraining may have when nothing changed;
            alarms may be looser.
        urgent: Times its limit from which on a change is urgent, until it falls silent: it asks in
            its first period, and training gives more weight to the newest periods. The limit is
            that of one false alarm in a hundred periods.
        urgent_days: Days between two retrainings when a change is urgent.
        cool_down_days: Days between two retrainings otherwise; twice as many for each further one
            of the last 90 days. What comes back so soon was not repaired by training, or was
            chance.
        min_new_periods: Periods of data since the champion was trained.
        max_age_days: Days of data since then from which on a model is trained anew although nothing
            is wrong; None never.
        max_per_month: Retrainings in 30 days.
        retraining_cost: Money that one retraining costs, machines and people; 0 leaves money out of
            account. What a run is expected to save has to cover it.
        gain_periods: Monitoring periods for which what a retraining saves is counted.
        max_money_per_month: Money for retrainings in 30 days; None for no limit.
        max_failures: Retrainings in a row, failed or not promoted, after which the breaker opens.
        breaker_days: Days after which those are forgiven.
        lease_minutes: Time a run may go without sign of life before another may start.
        page_again_after: Monitoring periods after which a lasting fault is paged for again.
    """

    enabled: bool = True
    dry_run: bool = False
    persistence: int = Field(default=2, ge=1)
    max_p_value: float = Field(default=0.05, gt=0, le=1)
    urgent: float = Field(default=2.0, ge=1)
    urgent_days: float = Field(default=7.0, ge=0)
    cool_down_days: float = Field(default=14.0, ge=0)
    min_new_periods: int = Field(default=7, ge=0)
    max_age_days: float | None = Field(default=182.0, gt=0)
    max_per_month: int = Field(default=4, ge=1)
    retraining_cost: float = Field(default=0.0, ge=0)
    gain_periods: int = Field(default=8, ge=1)
    max_money_per_month: float | None = Field(default=None, gt=0)
    max_failures: int = Field(default=2, ge=1)
    breaker_days: float = Field(default=90.0, gt=0)
    lease_minutes: float = Field(default=60.0, gt=0)
    page_again_after: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _money_counts(self) -> "GovernorConfig":
        if self.max_money_per_month is not None and self.max_money_per_month < self.retraining_cost:
            raise ValueError(
                f"max_money_per_month {self.max_money_per_month:g} allows no retraining of "
                f"retraining_cost {self.retraining_cost:g}: raise the first, or turn retraining "
                "off with enabled: false"
            )
        if self.max_money_per_month is not None and not self.retraining_cost:
            raise ValueError("max_money_per_month needs retraining_cost: what does one cost?")
        return self


class RetrainingConfig(_Section):
    """How a training that monitoring asked for is trained and judged, and how a refit is weighted.

    Attributes:
        refit: True ends every retraining in a refit, whatever training.refit says: without one the
            model that serves has learned nothing of the gate's periods, the change among them.
        newest_share: training.newest_share of every refit, where it is the larger.
        recent_share: The same of the refit of a retraining that has a cause. It costs nothing on
            quiet history, which a larger share does.
        urgent_share: The same where the change is urgent: of the few periods since it, ends drawn
            evenly see hardly anything.
        max_cost_increase: gate.max_cost_increase of a retraining that ends in a refit, where it is
            the larger: judged on periods before what it is for, the recipe has to hold, and the
            refit learns the rest.
    """

    refit: bool = True
    newest_share: float = Field(default=0.0, ge=0, le=1)
    recent_share: float = Field(default=0.15, ge=0, le=1)
    urgent_share: float = Field(default=0.3, ge=0, le=1)
    max_cost_increase: float = Field(default=0.02, ge=0)


# Keys of release 0.2 to those of `retraining`; read until the next release.
_MOVED = {
    "governor.refit": "refit",
    "governor.newest_share": "urgent_share",
    "governor.recent_share": "recent_share",
    "governor.max_cost_increase": "max_cost_increase",
    "training.refit_newest_share": "newest_share",
}


class Config(_Section):
    """A whole run: its name, and a section for each thing that can be set."""

    name: Name
    data: DataConfig
    cleaning: CleaningConfig = CleaningConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    inventory: InventoryConfig = InventoryConfig()
    gate: GateConfig = GateConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    deployment: DeploymentConfig = DeploymentConfig()
    cluster: ClusterConfig = ClusterConfig()
    governor: GovernorConfig = GovernorConfig()
    retraining: RetrainingConfig = RetrainingConfig()

    @property
    def currency(self) -> str:
        """Of all money: what inventory.currency says, else data.currency; "" for neither."""
        return self.inventory.currency or self.data.currency or ""

    @model_validator(mode="before")
    @classmethod
    def _read_former_keys(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        found = _with_one_currency(content)
        for former, key in _MOVED.items():
            section, _, name = former.partition(".")
            if not isinstance(found.get(section), dict) or name not in found[section]:
                continue
            now = found.get("retraining", {})
            if not isinstance(now, dict) or key in now:
                raise ValueError(f"{former} is retraining.{key} now: name only that")
            warnings.warn(
                f"{former} is retraining.{key} now; the next release reads only that.",
                FutureWarning,
                stacklevel=2,
            )
            found[section] = {k: v for k, v in found[section].items() if k != name}
            found["retraining"] = now | {key: content[section][name]}
        return found

    @model_validator(mode="after")
    def _forecasts_as_far_as_orders_last(self) -> "Config":
        interval = self.inventory.lead_time + self.inventory.review_period
        if interval > self.features.horizon:
            raise ValueError(
                f"features.horizon is {self.features.horizon} periods, but an order has to last "
                f"inventory.lead_time + inventory.review_period = {interval}: raise the horizon"
            )
        return self

    def for_retraining(
        self, *, lasting: int = 0, urgent: bool = False, shift: float = 0.0
    ) -> "Config":
        """Return the configuration of a training that the governor asked for.

        It proves its recipe on periods before the change, and a refit learns the change. Without a
        refit what is judged is what serves: nothing changes. A model that learned a change has to
        differ from the champion by it, and its canary may.

        Args:
            lasting: Monitoring periods that the change has been seen for, 0 where there is none.
            urgent: True when the change is far beyond its limit.
            shift: Demand over forecast of the latest period, less 1.
        """
        how = self.retraining
        if not (self.training.refit or how.refit):
            return self
        limit = max(self.gate.max_cost_increase, how.max_cost_increase)
        gate = {"max_cost_increase": limit, "benefit_of_doubt": True}
        unjudged = min(lasting * self.monitoring.period, self.evaluation.gate_periods)
        share = how.urgent_share if urgent else how.recent_share
        share = max(how.newest_share, share if lasting else 0.0)
        changed: dict[str, dict[str, Any]] = {
            "gate": gate,
            "evaluation": {"unjudged_periods": unjudged},
            "training": {"refit": True},
            "retraining": {"newest_share": share},
        }
        if lasting and shift:
            most = self.deployment.max_prediction_shift + abs(shift)
            changed["deployment"] = {"max_prediction_shift": most}
        sections = {
            name: getattr(self, name).model_copy(update=update) for name, update in changed.items()
        }
        return self.model_copy(update=sections)

    def for_refit(self) -> "Config":
        """Return the configuration of the training on every period."""
        share = max(self.training.newest_share, self.retraining.newest_share)
        training = self.training.model_copy(update={"newest_share": share})
        return self.model_copy(update={"training": training})

    def as_parameter(self) -> dict[str, Any]:
        """Return the configuration as a pipeline parameter: plain data without nulls.

        Of the cluster's section only the account stays, which a retraining runs under: where a
        step runs must not change its cache key.
        """
        places = set(ClusterConfig.model_fields) - {"service_account"}
        return self.model_dump(mode="json", exclude_none=True, exclude={"cluster": places})


def read_yaml(path: Path, what: str, wanted: str) -> dict[str, Any]:
    """Return the content of a YAML file that holds a mapping.

    Args:
        path: Of the file.
        what: It is, in words.
        wanted: What it must hold, in words.

    Raises:
        ConfigError: If it cannot be read, is not YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as err:
        raise ConfigError(f"{what} {path} cannot be read: {err.strerror}.") from err
    except (yaml.YAMLError, ValueError) as err:
        raise ConfigError(f"{what} {path} is not valid YAML: {_yaml_fault(err)}.") from err
    if not isinstance(content, dict):
        raise ConfigError(f"{what} {path} must hold {wanted}.")
    return content


def _yaml_fault(err: Exception) -> str:
    r"""Return what is wrong with a YAML file, in one line: where, and what was expected.

    Example:
        >>> try:
        ...     yaml.safe_load("a: [1,\n")
        ... except yaml.YAMLError as err:
        ...     print(_yaml_fault(err))
        line 2, column 1: expected the node content, but found '<stream end>'
    """
    mark = getattr(err, "problem_mark", None)
    problem = getattr(err, "problem", None)
    if mark is not None and problem:
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return " ".join(str(err).split())


def load_config(
    path: Path,
    overrides: Iterable[str] = (),
    complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Config:
    """Read a configuration file and apply overrides of the form section.key=value.

    Args:
        path: Of the file.
        overrides: Of its keys.
        complete: Returns the content with keys that it leaves out; Config's own defaults by itself.

    Raises:
        ConfigError: If the file cannot be read, a key does not exist, or a value is refused;
            every fault is named.
    """
    content = read_yaml(path, "configuration", "a mapping of sections")
    for override in overrides:
        _apply(content, override)
    if complete is not None:
        content = complete(content)
    try:
        return Config.model_validate(content)
    except ValidationError as err:
        raise ConfigError(f"configuration {path}: {explain_validation(err)}.") from err


def _apply(content: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    *sections, key = name.strip().split(".")
    if not equals or not key:
        raise ConfigError(f"--set must be section.key=value, got {override!r}.")
    place = content
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {name}: {section} is a value, not a section.")
    try:
        place[key] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as err:
        raise ConfigError(f"--set {name}: {text!r} is not a YAML value.") from err


def _with_one_currency(content: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which orders are told in the currency of the data where they have none."""
    data, inventory = content.get("data"), content.get("inventory")
    told = data.get("currency") if isinstance(data, dict) else getattr(data, "currency", None)
    if not told or not isinstance(inventory, dict | None) or (inventory or {}).get("currency"):
        return dict(content)
    return content | {"inventory": {**(inventory or {}), "currency": told}}


def explain_validation(err: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return a pydantic error as one clause per fault, joined by semicolons.

    Args:
        err: Of the validation.
        model: That was validated; the whole configuration by default.
    """
    return "; ".join(_explain(dict(fault), model or Config) for fault in err.errors())


def _explain(fault: dict[str, Any], model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"key {place} does not exist{_suggestion(fault['loc'], model)}"
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    got = "" if isinstance(fault["input"], dict) else f", got {fault['input']!r}"
    return f"{place}: {message[0].lower()}{message[1:]}{got}"


def _suggestion(loc: tuple[int | str, ...], model: Any) -> str:
    for part in loc[:-1]:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return ""
        model = field.annotation
    fields = getattr(model, "model_fields", {})
    word = str(loc[-1])
    if word in fields:  # of another file: what is there would be said to be meant
        return ""
    close = difflib.get_close_matches(word, list(fields), n=1)
    if not close and len(loc) == 1:  # a field without its section
        close = [f"{name}.{word}" for name, field in fields.items()
                 if word in getattr(field.annotation, "model_fields", ())]  # fmt: skip
    return f" (did you mean {' or '.join(close)}?)" if close else ""
