"""The report: results of an evaluation or an experiment as one JSON file, one HTML page, one table for the terminal."""

from actlab.report.page import write_report
from actlab.report.profile import Profile, describe
from actlab.report.records import decode_evaluation, encode_evaluation
from actlab.report.results import Results, ResultsError, RunInfo, SystemResults, run_info
from actlab.report.table import claim_lines, experiment_table, summary_table
from actlab.report.whole_file import write_whole

__all__ = [
    "Profile",
    "Results",
    "ResultsError",
    "RunInfo",
    "SystemResults",
    "claim_lines",
    "decode_evaluation",
    "describe",
    "encode_evaluation",
    "experiment_table",
    "run_info",
    "summary_table",
    "write_report",
    "write_whole",
]
