"""The stored results as one HTML page, and as the Markdown table of the README."""

from benchmarks.report.markdown import into, table
from benchmarks.report.page import page

__all__ = ["into", "page", "table"]
