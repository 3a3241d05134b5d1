"""Fetching motion capture that others publish: politely, resumed where it stopped, checked against what came first."""

from poseaug_core.fetch.cmu import (
    ACKNOWLEDGEMENT,
    SUBJECTS,
    Fetched,
    cache_folder,
    estimate,
    fetch_cmu,
    subject_numbers,
    trial_numbers,
)

__all__ = [
    "ACKNOWLEDGEMENT",
    "SUBJECTS",
    "Fetched",
    "cache_folder",
    "estimate",
    "fetch_cmu",
    "subject_numbers",
    "trial_numbers",
]
