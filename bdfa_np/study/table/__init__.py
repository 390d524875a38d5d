"""A study's table: published numbers beside our own, and tests between the labels of an axis."""

from bdfa_np.study.table.results import ResultsTable, tabulate
from bdfa_np.study.table.sheet import StudyTable
from bdfa_np.study.table.tests_between import WelchTable

__all__ = ["ResultsTable", "StudyTable", "WelchTable", "tabulate"]
