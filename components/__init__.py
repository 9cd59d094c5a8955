"""Thin KFP steps: each reads artifacts, makes one call, writes artifacts."""

from components.evaluate_forecaster import evaluate_forecaster
from components.explain_forecaster import explain_forecaster
from components.forecast_demand import forecast_demand
from components.govern_retraining import govern_retraining
from components.ingest_data import ingest_data
from components.keep_forecaster import keep_forecaster
from components.monitor_drift import monitor_drift
from components.monitor_unreadable import monitor_unreadable
from components.open_sweep import open_sweep
from components.plan_orders import plan_orders
from components.prepare_panel import prepare_panel
from components.publish_features import publish_features
from components.refit_forecaster import refit_forecaster
from components.release_forecaster import release_forecaster
from components.retrieve_training_set import retrieve_training_set
from components.run_trials import run_trials
from components.search_alone import search_alone
from components.select_trial import select_trial
from components.start_training import start_training
from components.train_forecaster import train_forecaster
from components.write_monitoring_report import write_monitoring_report
from components.write_plan_report import write_plan_report
from components.write_report import write_report

__all__ = [
    "evaluate_forecaster",
    "explain_forecaster",
    "forecast_demand",
    "govern_retraining",
    "ingest_data",
    "keep_forecaster",
    "monitor_drift",
    "monitor_unreadable",
    "open_sweep",
    "plan_orders",
    "prepare_panel",
    "publish_features",
    "refit_forecaster",
    "release_forecaster",
    "retrieve_training_set",
    "run_trials",
    "search_alone",
    "select_trial",
    "start_training",
    "train_forecaster",
    "write_monitoring_report",
    "write_plan_report",
    "write_report",
]
