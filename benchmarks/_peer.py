"""One peer's forecast in an environment of its own; nothing of the project is imported.

    python benchmarks/_peer.py PEER TRAIN.parquet OUT.parquet MINUTES HORIZON

TRAIN holds unique_id, ds, y; OUT gets unique_id, ds, mean. Prints a line of JSON: seconds of
training and, where the peer trains on windows, how many it has seen.
"""

import json
import os
import sys
import time
import warnings

os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402

RECENT = 400  # days the local and the slowest peers read


def counting(seen):
    """Return a Lightning callback that adds up optimiser steps."""
    try:
        import pytorch_lightning as pl
    except ImportError:
        import lightning.pytorch as pl

    class Counter(pl.Callback):
        def on_train_batch_end(self, *_, **__):
            seen["steps"] += 1

    return Counter()


def neural(train, horizon, minutes, name):
    """NeuralForecast's LSTM or DeepAR with its defaults, on the same minutes."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import LSTM, DeepAR

    seen = {"steps": 0}
    common = {
        "h": horizon, "input_size": 56, "max_steps": 10_000_000, "batch_size": 32,
        "windows_batch_size": 128, "scaler_type": "robust", "logger": False,
        "enable_progress_bar": False, "enable_model_summary": False,
        "enable_checkpointing": False, "callbacks": [counting(seen)],
        "max_time": {"minutes": minutes}, "accelerator": "cpu",
    }  # fmt: skip
    model = (
        LSTM(**common)
        if name == "LSTM"
        else DeepAR(**common, loss=DistributionLoss("NegativeBinomial", level=[80]))
    )
    forecaster = NeuralForecast(models=[model], freq="D")
    started = time.monotonic()
    forecaster.fit(train)
    seconds = time.monotonic() - started
    found = forecaster.predict()
    column = next(c for c in found.columns if c not in ("unique_id", "ds"))
    found = found.rename(columns={column: "mean"})
    return found, seconds, seen["steps"] * 128


def gluonts(train, horizon, minutes):
    """GluonTS's DeepAR in torch; its negative binomial diverges here, so the default law."""
    import numpy as np
    from gluonts.dataset.pandas import PandasDataset
    from gluonts.torch import DeepAREstimator

    seen = {"steps": 0}
    data = PandasDataset.from_long_dataframe(
        train, target="y", item_id="unique_id", timestamp="ds", freq="D"
    )
    estimator = DeepAREstimator(
        freq="D", prediction_length=horizon, context_length=56, batch_size=32,
        num_batches_per_epoch=100,
        trainer_kwargs={
            "max_epochs": 1_000_000, "max_time": {"minutes": minutes}, "accelerator": "cpu",
            "callbacks": [counting(seen)], "enable_progress_bar": False, "logger": False,
        },
    )  # fmt: skip
    started = time.monotonic()
    predictor = estimator.train(data)
    seconds = time.monotonic() - started
    frames = []
    for forecast in predictor.predict(data, num_samples=100):
        days = forecast.index.to_timestamp()
        mean = np.asarray(forecast.mean)
        frames.append(pd.DataFrame({"unique_id": forecast.item_id, "ds": days, "mean": mean}))
    return pd.concat(frames), seconds, seen["steps"] * 32


def pytorch_forecasting(train, horizon, minutes):
    """pytorch-forecasting's DeepAR, negative binomial, on the latest days."""
    import lightning.pytorch as pl
    from pytorch_forecasting import DeepAR, TimeSeriesDataSet
    from pytorch_forecasting.data import EncoderNormalizer
    from pytorch_forecasting.metrics import NegativeBinomialDistributionLoss

    seen = {"steps": 0}
    start = train["ds"].max() - pd.Timedelta(days=RECENT - 1)
    recent = train[train["ds"] >= start].copy()
    ahead = pd.DataFrame({"ds": pd.date_range(train["ds"].max(), periods=horizon + 1)[1:]})
    ahead = recent[["unique_id"]].drop_duplicates().merge(ahead, how="cross").assign(y=0.0)
    both = pd.concat([recent, ahead]).sort_values(["unique_id", "ds"], ignore_index=True)
    both["t"] = (both["ds"] - start).dt.days
    both["weekday"] = both["ds"].dt.weekday.astype(str)
    both["y"] = both["y"].astype(float)
    data = TimeSeriesDataSet(
        both[both["t"] < RECENT], time_idx="t", target="y", group_ids=["unique_id"],
        max_encoder_length=56, max_prediction_length=horizon,
        static_categoricals=["unique_id"], time_varying_known_categoricals=["weekday"],
        time_varying_unknown_reals=["y"],
        target_normalizer=EncoderNormalizer(center=False),
        allow_missing_timesteps=True,
    )  # fmt: skip
    model = DeepAR.from_dataset(
        data, learning_rate=3e-3, hidden_size=40, rnn_layers=2,
        loss=NegativeBinomialDistributionLoss(),
    )  # fmt: skip
    trainer = pl.Trainer(
        max_epochs=1_000_000, max_time={"minutes": minutes}, accelerator="cpu", logger=False,
        callbacks=[counting(seen)], enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, gradient_clip_val=0.1,
    )  # fmt: skip
    started = time.monotonic()
    trainer.fit(model, data.to_dataloader(train=True, batch_size=128, num_workers=0))
    seconds = time.monotonic() - started
    last = TimeSeriesDataSet.from_dataset(data, both, predict=True, stop_randomization=True)
    loader = last.to_dataloader(train=False, batch_size=512, num_workers=0)
    out = model.predict(loader, return_index=True, trainer_kwargs={"logger": False})
    values, index = out.output.numpy(), out.index["unique_id"].to_numpy()
    days = pd.date_range(train["ds"].max(), periods=horizon + 1)[1:]
    found = pd.DataFrame(
        {"unique_id": index.repeat(horizon), "ds": list(days) * len(index), "mean": values.ravel()}
    )
    return found, seconds, seen["steps"] * 128


def lightgbm(train, horizon):
    """LightGBM through mlforecast: lags, rolling means, calendar; Tweedie."""
    import lightgbm as lgb
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    start = train["ds"].max() - pd.Timedelta(days=2 * RECENT - 1)
    recent = train[train["ds"] >= start]
    model = lgb.LGBMRegressor(
        n_estimators=600, learning_rate=0.05, num_leaves=63, objective="tweedie",
        tweedie_variance_power=1.1, n_jobs=2, verbose=-1,
    )  # fmt: skip
    forecaster = MLForecast(
        models={"mean": model}, freq="D", lags=[1, 7, 14, 28],
        lag_transforms={1: [RollingMean(7), RollingMean(28)], 28: [RollingMean(28)]},
        date_features=["dayofweek", "day", "month"],
    )  # fmt: skip
    started = time.monotonic()
    forecaster.fit(recent, static_features=[])
    seconds = time.monotonic() - started
    return forecaster.predict(horizon), seconds, None


def ets(train, horizon):
    """AutoETS of every series through statsforecast, on the latest days."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    start = train["ds"].max() - pd.Timedelta(days=RECENT // 2 - 1)
    forecaster = StatsForecast(models=[AutoETS(season_length=7)], freq="D", n_jobs=2)
    started = time.monotonic()
    found = forecaster.forecast(df=train[train["ds"] >= start], h=horizon)
    return found.rename(columns={"AutoETS": "mean"}), time.monotonic() - started, None


def main():
    """Run one peer."""
    peer, source, out, minutes, horizon = sys.argv[1:]
    train = pd.read_parquet(source)
    train["y"] = train["y"].astype("float32")
    minutes, horizon = float(minutes), int(horizon)
    calls = {
        "neuralforecast LSTM": lambda: neural(train, horizon, minutes, "LSTM"),
        "neuralforecast DeepAR": lambda: neural(train, horizon, minutes, "DeepAR"),
        "GluonTS DeepAR": lambda: gluonts(train, horizon, minutes),
        "pytorch-forecasting DeepAR": lambda: pytorch_forecasting(train, horizon, minutes),
        "LightGBM (mlforecast)": lambda: lightgbm(train, horizon),
        "AutoETS (statsforecast)": lambda: ets(train, horizon),
    }
    found, seconds, windows = calls[peer]()
    found[["unique_id", "ds", "mean"]].to_parquet(out, index=False)
    print(json.dumps({"seconds": seconds, "windows": windows}))


if __name__ == "__main__":
    main()
