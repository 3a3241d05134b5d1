"""The paper's tables: definitions with the published figures, experiments on data at hand, and files of them."""

from poseaug_core.tables.data import data_sets
from poseaug_core.tables.definitions import TABLES, Column, Row, Table
from poseaug_core.tables.experiment import Cell, DataSets, Experiment, Setup, experiment, parse_settings, table_state

__all__ = [
    "TABLES", "Cell", "Column", "DataSets", "Experiment", "Row", "Setup", "Table", "data_sets", "experiment",
    "parse_settings", "table_state",
]  # fmt: skip
