from typing import Any

from kfp.dsl import PipelineTask

class Calls:
    def evaluate_forecaster(
        self,
        *,
        model: Any,
        training_set: Any,
        snapshot: str,
        quality: Any,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def explain_forecaster(
        self,
        *,
        model: Any,
        training_set: Any,
        config: dict[str, Any],
        code_version: str,
    ) -> PipelineTask: ...
    def forecast_demand(
        self,
        *,
        derived: Any,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def govern_retraining(
        self,
        *,
        evidence: Any,
        config: dict[str, Any],
        run: str,
        job: str,
    ) -> PipelineTask: ...
    def ingest_data(
        self,
        *,
        mapping: str,
        data_dir: str,
        data: dict[str, Any],
        tell_faults: bool = ...,
    ) -> PipelineTask: ...
    def keep_forecaster(
        self,
        *,
        model: Any,
        training_set: Any,
        verdict: Any,
        assessment: Any,
        explanation: Any,
        snapshot: str,
        config: dict[str, Any],
        run: str,
        cause: str = ...,
        window: str = ...,
        retraining: str = ...,
    ) -> PipelineTask: ...
    def monitor_drift(
        self,
        *,
        derived: Any,
        quality: Any,
        snapshot: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def monitor_unreadable(
        self,
        *,
        quality: Any,
        mapping: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def open_sweep(
        self,
        *,
        config: dict[str, Any],
        study: str,
        job: str,
    ) -> PipelineTask: ...
    def plan_orders(
        self,
        *,
        derived: Any,
        forecast: Any,
        snapshot: str,
        model_version: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def prepare_panel(
        self,
        *,
        snapshot: str,
        cleaning: dict[str, Any],
        features: dict[str, Any],
        evaluation: dict[str, Any],
        code_version: str,
    ) -> PipelineTask: ...
    def publish_features(
        self,
        *,
        derived: Any,
        snapshot: str,
        features: dict[str, Any],
        model_version: str = ...,
        forecast: Any = ...,
    ) -> PipelineTask: ...
    def refit_forecaster(
        self,
        *,
        model: Any,
        training_set: Any,
        config: dict[str, Any],
        code_version: str,
    ) -> PipelineTask: ...
    def release_forecaster(
        self,
        *,
        model: Any,
        training_set: Any,
        verdict: Any,
        assessment: Any,
        explanation: Any,
        snapshot: str,
        config: dict[str, Any],
        run: str,
        study: str = ...,
        cause: str = ...,
        window: str = ...,
        retraining: str = ...,
    ) -> PipelineTask: ...
    def retrieve_training_set(
        self,
        *,
        known_at: str,
        snapshot: str,
        code_version: str,
    ) -> PipelineTask: ...
    def run_trials(
        self,
        *,
        training_set: Any,
        config: dict[str, Any],
        study: str,
        job: str,
        worker: str,
    ) -> PipelineTask: ...
    def search_alone(
        self,
        *,
        training_set: Any,
        config: dict[str, Any],
        study: str,
        job: str,
    ) -> PipelineTask: ...
    def select_trial(
        self,
        *,
        config: dict[str, Any],
        study: str,
        job: str,
        finished: Any,
    ) -> PipelineTask: ...
    def start_training(
        self,
        *,
        decision: Any,
        data_dir: str,
        mapping: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def train_forecaster(
        self,
        *,
        training_set: Any,
        config: dict[str, Any],
        code_version: str,
    ) -> PipelineTask: ...
    def write_monitoring_report(
        self,
        *,
        decision: Any,
        command: str,
        console: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def write_plan_report(
        self,
        *,
        derived: Any,
        forecast: Any,
        orders: Any,
        purchase_orders: Any,
        exceptions: Any,
        snapshot: str,
        config: dict[str, Any],
    ) -> PipelineTask: ...
    def write_report(
        self,
        *,
        model: Any,
        quality: Any,
        counts: Any,
        sweep: Any,
        assessment: Any,
        explanation: Any,
        verdict: Any,
        config: dict[str, Any],
        snapshot: str = ...,
        run: str = ...,
        study: str = ...,
        code_version: str = ...,
        cause: str = ...,
        window: str = ...,
        retraining: str = ...,
    ) -> PipelineTask: ...
