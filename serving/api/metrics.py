"""What Prometheus scrapes from /metrics."""

from prometheus_client import Counter, Gauge, Histogram

from invopt import __version__

_STAGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_AGES = (3600, 6 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400)

STAGE_SECONDS = Histogram(
    "invopt_stage_seconds",
    "Time of one stage of a request, or of several answered together: read, encode, network, "
    "decide, explain, answer",
    ["stage"],
    buckets=_STAGES,
)
REQUESTS = Counter("invopt_requests", "Requests by protocol and outcome", ["protocol", "outcome"])
DECISIONS = Counter(
    "invopt_decisions",
    "Decisions by the rung and the model that answered",
    ["step", "model_version"],
)
AGAIN = Counter(
    "invopt_decisions_again",
    "Decisions answered as last time: the rows, the model and the day are still the same",
)
BUILD = Gauge("invopt_build_info", "1, with the version of this server", ["version"])
BUILD.labels(__version__).set(1)
INSTANCE_ERRORS = Counter("invopt_instance_errors", "Instances without a decision", ["code"])
FEATURE_MISSES = Counter("invopt_feature_misses", "Features looked for and not found", ["view"])
FEATURE_AGE = Histogram(
    "invopt_feature_age_seconds", "Age of the sales an answer is based on", buckets=_AGES
)
STORE_FAILURES = Counter("invopt_store_failures", "Failed reads of the online store", ["kind"])
NETWORK_FAILURES = Counter("invopt_network_failures", "Failed calls of the predictor")
TOGETHER = Histogram(
    "invopt_requests_together",
    "Small requests that shared one read and one call of the model",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
IN_FLIGHT = Gauge("invopt_in_flight", "Requests accepted and not yet answered")
LOG_LOST = Counter("invopt_prediction_log_lost", "Rows the prediction log dropped", ["reason"])
SKEW = Gauge("invopt_feature_skew", "Largest online-offline difference of the last probe")
SKEW_SERIES = Counter("invopt_skew_series", "Series probed for skew, by result", ["result"])
RELOADS = Counter(
    "invopt_model_reloads",
    "Models and features taken into service while running, and looks for them that failed",
    ["result"],
)
REFRESHED = Gauge(
    "invopt_refreshed_timestamp_seconds",
    "When a look for newer models and features last went well, seconds since 1970",
)
SERVED = Gauge("invopt_served_version", "1 for the version that answers here", ["model", "version"])
CHAMPION = Gauge(
    "invopt_champion_version",
    "1 for the version that the registry calls champion, 0 for those before",
    ["model", "version"],
)
WITHHELD = Counter("invopt_explanations_withheld", "Attributions that did not add up")


_told: dict[Gauge, tuple[str, str]] = {}


def tell(gauge: Gauge, model: str, version: str) -> None:
    """Let a gauge name one version; the one it named before is 0."""
    now = (model, version)
    before = _told.get(gauge, now)
    if before != now:
        gauge.labels(*before).set(0)
    _told[gauge] = now
    gauge.labels(*now).set(1)
