"""Pages a person reads."""

from invopt.report.training import write_training_report

__all__ = ["write_training_report"]
