"""LightGBM as a candidate: one global model of all series, trained beside the network.

It sees what the network sees (sales since launch, plans, calendar, attributes), a period ahead at a
time, and predicts the share of a series' own level. Its spread comes from errors on the latest part
of the training range, which the trees that made them had not seen.
"""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import PoissonRegressor
from torch import Tensor

from invopt.candidates import (
    Fitted,
    Past,
    past_windows,
    spread_of,
    tensors_of,
    write_baselines,
    write_fitted,
)
from invopt.config import Config, FeaturesConfig
from invopt.features import FeatureEncoder, FeatureSpec, model_inputs, targets
from invopt.features.encoded import EncodedPanel
from invopt.model.rules import Spread
from invopt.model.trees import LogMean, TreeInputs, TreeNetwork, TreePoint, Trees, TreeSizes
from invopt.panel import Panel
from invopt.types import Clock, Float32Array, FloatArray, Notify

LIGHTGBM = "lightgbm"

_MOST = 200_000  # periods ahead, of sampled windows, that trees are grown from
_BATCH = 512  # windows whose inputs are gathered together
_HELD_OUT = (400, 12)  # series and cutoffs that errors are taken from
_ROUNDS, _PATIENCE, _SHARE = 600, 40, 0.5  # of the minutes of training
_LEAST = 60  # rounds that no lack of time takes away: a busy machine is no reason for one tree
_RIDGE, _CONSTANT = 1e-4, 1e-6  # of factors; deviation below which one says nothing
_YEARS = 1.8  # of history
_SEED = 0
_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.06, "num_leaves": 15, "min_data_in_leaf": 100, "feature_fraction": 0.7,
    "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 10.0, "max_bin": 127,
    "feature_pre_filter": False, "use_missing": False, "deterministic": True, "verbosity": -1,
    "seed": _SEED,
}  # fmt: skip
# The scale of errors is smooth, and few trees tell it: many would tell the errors themselves.
_SCALE: dict[str, Any] = {
    "num_leaves": 7,
    "min_data_in_leaf": 200,
    "learning_rate": 0.1,
    "objective": "poisson",
}
_SCALE_ROUNDS = 60


@dataclass(frozen=True)
class _Rows:
    """Periods ahead of some windows.

    Attributes:
        features: (R, X).
        factors: (R, L).
        base: (R,) logs that the trees start from.
        target: (R,) model units.
    """

    features: Float32Array = field(repr=False)
    factors: FloatArray = field(repr=False)
    base: FloatArray = field(repr=False)
    target: FloatArray = field(repr=False)


def write_candidates(
    panel: Panel,
    config: Config,
    num_periods: int,
    out: Path,
    *,
    clock: Clock | None = None,
    names: Iterable[str] | None = None,
    notify: Notify = lambda _: None,
) -> dict[str, Path]:
    """Fit baselines and, where there are rows enough, LightGBM; returns model folders by name.

    Args:
        panel: Cleaned, with derived channels.
        config: Of the run.
        num_periods: Periods that may be seen.
        out: Folder of the folders.
        clock: Returns seconds, from any start; None leaves the time open.
        names: Which; those that say something of their own by default.
        notify: Called with lines of progress.
    """
    asked = None if names is None else list(names)
    wanted = LIGHTGBM in asked if asked is not None else is_worth_it(panel, config, num_periods)
    plain = asked if asked is None else [name for name in asked if name != LIGHTGBM]
    folders = {}
    if plain is None or plain:
        folders = write_baselines(panel, config, num_periods, out, names=plain, notify=notify)
    if wanted:
        folders[LIGHTGBM] = out / LIGHTGBM
        write_lightgbm(panel, config, num_periods, folders[LIGHTGBM], clock=clock, notify=notify)
    return folders


def is_worth_it(panel: Panel, config: Config, num_periods: int) -> bool:
    """Return whether LightGBM is to be trained: asked for, installed, and with rows enough."""
    if not config.training.lightgbm or importlib.util.find_spec("lightgbm") is None:
        return False
    known = int(panel.is_observed[:, :num_periods].sum())
    return known >= config.training.lightgbm_rows


def write_lightgbm(
    panel: Panel,
    config: Config,
    num_periods: int,
    out: Path,
    *,
    clock: Clock | None,
    notify: Notify,
) -> None:
    """Train LightGBM on the first num_periods of a panel and write its model folder.

    Raises:
        ContractError: If the graph does not give what LightGBM gives on real rows.
    """
    clock = clock or _still
    limit = clock() + _SHARE * config.training.max_minutes * 60
    seen = panel.truncate(num_periods)
    encoder = FeatureEncoder.fit(seen, tree_features(config.features, seen), num_periods)
    spec, encoded = encoder.spec, encoder.encode(seen)
    sizes = _sizes(seen, config.features, spec.config.context_steps)
    made = _Training(spec, encoded, TreeInputs(sizes), config, clock)
    point, spread = made.fitted(limit)
    model = config.model
    network = TreeNetwork(
        point, spread, model.quantile_levels, model.level_quantiles, spec.unit,
        is_count=spec.is_count,
    ).eval()  # fmt: skip
    found = Fitted(LIGHTGBM, point.rule, network)
    write_fitted(found, spec, encoded, config, out)
    notify(f"trained LightGBM, {point.mean.trees.num_used} trees")


def _still() -> float:
    """Return the time where it does not count."""
    return 0.0


def tree_features(features: FeaturesConfig, panel: Panel) -> FeaturesConfig:
    """Return features of one period per step, as far back as the network's windows reach.

    The course of the year only where two are known nearly: factors go on beyond what they saw.
    """
    is_long = panel.num_periods >= _YEARS * panel.timeline.periods_per_year
    return features.model_copy(
        update={
            "patch": 1,
            "context_steps": max(2, features.lookback - 1),
            "windows": (1,),
            "offset_weights": (1.0,),
            "aggregates": (),
            "monthly_sales": 0,
            "year_harmonics": features.year_harmonics if is_long else 0,
        }
    )


def _sizes(panel: Panel, features: FeaturesConfig, length: int) -> TreeSizes:
    return TreeSizes(
        length,
        features.horizon,
        windows=features.windows,
        weights=tuple(w / sum(features.offset_weights) for w in features.offset_weights),
        seasons=tuple(s for s in panel.timeline.seasons if s < min(length, panel.num_periods)),
    )


@dataclass(frozen=True)
class _Training:
    """One training of LightGBM.

    Attributes:
        spec: Of the panel.
        encoded: It, the training range alone.
        inputs: What trees see.
        config: Of the run.
        clock: Returns seconds.
    """

    spec: FeatureSpec
    encoded: EncodedPanel
    inputs: TreeInputs
    config: Config
    clock: Clock

    def fitted(self, limit: float) -> tuple[TreePoint, Spread]:
        """Return trees of the whole range, with the spread of errors on its latest part.

        Args:
            limit: The clock at which training ends: half of the time is for the trees that are
                judged on the latest part, half for those that have seen it.
        """
        num_periods, horizon = self.encoded.num_periods, self.spec.config.horizon
        last = num_periods - int(np.clip(num_periods // 4, 2, 3 * horizon))
        held_out = list(past_windows(self.spec, self.encoded, last - 1, _HELD_OUT))
        checked = _joined([self._rows_of(past.inputs, past.actual) for past in held_out])
        half = (self.clock() + limit) / 2
        first = self._mean(self._sampled(last), half, checked=checked)
        whole, *halves = (self._scale(first, held_out, part) for part in (None, 0, 1))

        def crossed(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """Return what trees expect, with scales learned from other series."""
            found = [TreePoint(self.inputs, first, scale)(*inputs) for scale in halves]
            is_even = torch.arange(len(inputs[0]))[:, None] % 2 == 0
            return found[0][0], found[0][1], torch.where(is_even, found[1][2], found[0][2])

        spread = spread_of(crossed, held_out, self.spec, self.config)
        mean = self._mean(self._sampled(num_periods), limit, rounds=first.trees.num_used)
        return TreePoint(self.inputs, mean, whole), spread

    def _sampled(self, stop: int) -> _Rows:
        """Return periods before `stop` ahead of windows drawn evenly among all."""
        rng = np.random.default_rng(_SEED)
        launch, horizon = np.asarray(self.encoded.launch), self.spec.config.horizon
        number = np.maximum(0, stop - 1 - launch)  # cutoffs of each series, its launch the first
        ends = np.cumsum(number)
        most = min(int(ends[-1]), max(1, _MOST // horizon))
        drawn = np.sort(rng.choice(int(ends[-1]), most, replace=False))
        rows = np.searchsorted(ends, drawn, side="right")
        origins = launch[rows] + drawn - (ends - number)[rows]
        parts = []
        for start in range(0, most, _BATCH):
            row, end = (a[start : start + _BATCH].astype(np.int64) for a in (rows, origins))
            value, known = targets(self.spec, self.encoded, row, end[:, None], stop)
            actual = np.where(known, value, np.nan)[:, 0]
            inputs = tensors_of(model_inputs(self.spec, self.encoded, row, end))
            parts.append(self._rows_of(inputs, actual))
        return _joined(parts)

    @torch.inference_mode()
    def _rows_of(self, inputs: tuple[Tensor, ...], actual: npt.NDArray[Any]) -> _Rows:
        features, factors, level = self.inputs(*inputs)
        known = ~np.isnan(actual).ravel()
        base = np.repeat(np.log(level.numpy()), actual.shape[1])
        return _Rows(
            features.numpy()[known],
            factors.numpy().reshape(len(known), -1)[known],
            base[known],
            actual.ravel()[known].astype(np.float64),
        )

    def _mean(
        self,
        rows: _Rows,
        limit: float,
        *,
        rounds: int = _ROUNDS,
        checked: _Rows | None = None,
    ) -> LogMean:
        """Return factors by Poisson regression, and trees of what they leave."""
        weights, constant = _factors(rows)
        left = [
            None if r is None else replace(r, base=r.base + r.factors @ weights + constant)
            for r in (rows, checked)
        ]
        model = self.config.model
        settings: dict[str, Any] = {"objective": "poisson"}
        if model.loss == "tweedie":
            power = model.tweedie_power
            settings = {"objective": "tweedie", "tweedie_variance_power": power}
        trees = self._grown(left[0] or rows, settings, limit, rounds=rounds, checked=left[1])
        return LogMean(weights, constant, trees)

    @torch.inference_mode()
    def _scale(self, mean: LogMean, held_out: Sequence[Past], part: int | None) -> Trees | None:
        """Return trees of the size of errors; None where too few say anything.

        Args:
            mean: Trees that erred.
            held_out: Cutoffs on which they did.
            part: 0 for series at even places, 1 for those at odd ones, None for all.
        """
        point, parts = TreePoint(self.inputs, mean), []
        for past in held_out:
            found, _, root = (a.double().numpy() for a in point(*past.inputs))
            actual = np.array(past.actual, np.float64)
            if part is not None:
                actual[1 - part :: 2] = np.nan
            rows = self._rows_of(past.inputs, actual)
            known = ~np.isnan(actual)
            errors = np.abs(actual - found)[known]
            parts.append(_Rows(rows.features, rows.factors, np.log(root[known]), errors))
        rows = _joined(parts)
        if len(rows.target) < 2 * _SCALE["min_data_in_leaf"] or not rows.target.any():
            return None
        return self._grown(rows, _SCALE, np.inf, rounds=_SCALE_ROUNDS)

    def _grown(
        self,
        rows: _Rows,
        settings: Mapping[str, Any],
        limit: float,
        *,
        rounds: int = _ROUNDS,
        checked: _Rows | None = None,
    ) -> Trees:
        """Return trees grown until the rounds or the time are over, or `checked` gets worse.

        Sixty at least: on a busy machine the time may be over before the first.
        """
        import lightgbm as lgb  # noqa: PLC0415  (an extra)

        def stop_in_time(env: Any) -> None:
            if env.iteration >= _LEAST and self.clock() > limit:
                raise lgb.callback.EarlyStopException(
                    env.iteration, env.evaluation_result_list or []
                )

        own = lgb.Dataset(rows.features, rows.target, init_score=rows.base)
        callbacks: list[Any] = [stop_in_time]
        others = []
        if checked is not None and len(checked.target):
            others = [own.create_valid(checked.features, checked.target, init_score=checked.base)]
            callbacks.append(lgb.early_stopping(_PATIENCE, verbose=False))
        threads = {"num_threads": torch.get_num_threads()}
        return Trees(
            lgb.train(
                {**_SETTINGS, **settings, **threads}, own, rounds,
                valid_sets=others, callbacks=callbacks,
            )
        )  # fmt: skip


def _factors(rows: _Rows) -> tuple[FloatArray, float]:
    """Return the weight of each factor in the log of demand over its level, and a constant."""
    if not rows.factors.shape[1]:
        return np.zeros(0), 0.0
    mean, deviation = rows.factors.mean(axis=0), rows.factors.std(axis=0)
    deviation[deviation < _CONSTANT] = 1.0
    level = np.exp(rows.base)
    found = PoissonRegressor(alpha=_RIDGE, solver="newton-cholesky").fit(
        (rows.factors - mean) / deviation, rows.target / level, sample_weight=level
    )
    weights = found.coef_ / deviation
    return weights, float(found.intercept_ - mean @ weights)


def _joined(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.factors for p in parts]),
        np.concatenate([p.base for p in parts]),
        np.concatenate([p.target for p in parts]),
    )
