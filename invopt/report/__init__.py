"""Pages a person reads."""

from invopt.report.data import write_data_page
from invopt.report.monitoring_page import ByHand, write_monitoring_report
from invopt.report.plan import PlanFiles, write_plan_page
from invopt.report.replenishment_page import write_replenishment_report
from invopt.report.runs import RunRow, write_runs_index
from invopt.report.training_page import write_training_report
from invopt.report.workbook import write_workbook

__all__ = [
    "ByHand",
    "PlanFiles",
    "RunRow",
    "write_data_page",
    "write_monitoring_report",
    "write_plan_page",
    "write_replenishment_report",
    "write_runs_index",
    "write_training_report",
    "write_workbook",
]
