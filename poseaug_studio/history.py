"""History: what a run folder holds over its steps, as the timeline and the curves want it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace

from poseaug_core.config import Config
from poseaug_core.controls import KNOBS
from poseaug_core.live import Status
from poseaug_core.run_data import training_poses
from poseaug_core.schedule import Schedule
from poseaug_studio.metric_series import MetricSeries

EVALUATION, CONTROL, BEST, ALARM = "evaluation", "control", "best", "alarm"


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step; kind: EVALUATION, CONTROL, BEST or ALARM."""

    step: int
    kind: str
    text: str


@dataclass(frozen=True)
class Span:
    """A phase, from a step to a step."""

    start: int
    stop: int
    name: str


@dataclass
class History:
    """steps: of the recorded snapshots, rising. series: every metric over the steps. scores: MPJPE by set of each
    evaluated step. log: control changes. alarms: what went wrong. spans: the phases.
    superseded, damage: see poseaug_core.runs.Run.

    Only what is new is read of a run that grows: a long one has a hundred thousand snapshots.
    """

    steps: list[int] = field(default_factory=list)
    series: MetricSeries = field(default_factory=MetricSeries)
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    log: list[dict] = field(default_factory=list)
    alarms: list[dict] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    superseded: str = ""
    damage: list[str] = field(default_factory=list)
    next_row: int = 0
    next_change: int = 0
    next_alarm: int = 0
    _marks: list[Mark] | None = None

    @classmethod
    def read(cls, run) -> History:
        """All that a run holds. Its scalars are taken from the snapshots, an array a name, not from a hundred
        thousand lines of text; from those where the snapshots are gone."""
        rows, following = run.metrics(0, kind="evaluation" if run.snapshot_count else "")
        found = cls(superseded=run.superseded, next_row=following)
        columns, steps = run.series("scalars"), run.steps()
        count = min((len(values) for values in columns.values()), default=0)  # one may have come in between
        found.series.load(steps[:count], columns)
        found.add_rows(rows)
        found.update(run)
        found.damage = run.damage
        return found

    def update(self, run) -> bool:
        """Whether the run has snapshots or control changes that were not known."""
        steps = run.steps(len(self.steps)).tolist()
        before = self.next_change
        log, self.next_change = run.control_changes(before)
        if self.next_change < before:
            self.log, self._marks = [], None
        if not self.spans:
            self.spans = phases(run.config, training_poses(run.data))
        self.steps.extend(steps)
        if log:
            if self.log and log[0]["step"] < self.log[-1]["step"]:
                self.log = []  # told from the start again: a resume has cut the log
            self.log.extend(log)
            self._marks = None
        alarms, self.next_alarm = run.alarms(self.next_alarm)
        if alarms:
            self.alarms.extend(alarms)
            self._marks = None
        return bool(steps or log or alarms)

    def add_rows(self, rows: list[dict]) -> None:
        self.series.extend(rows)
        for row in rows:
            if found := errors(row):
                self.scores[int(row["step"])] = found
                self._marks = None

    def marks(self) -> list[Mark]:
        """What happened, in order of the steps; the same list until more has."""
        if self._marks is None:
            marks = [Mark(step, EVALUATION, describe(found)) for step, found in self.scores.items()]
            marks += [Mark(int(entry["step"]), CONTROL, change(entry)) for entry in self.log]
            marks += [Mark(int(entry["step"]), ALARM, entry["text"]) for entry in self.alarms]
            judged = {step: found["source_test"] for step, found in self.scores.items() if "source_test" in found}
            if judged:
                best = min(judged, key=judged.get)
                marks.append(Mark(best, BEST, f"lowest error on the source test set: {judged[best]:.1f} mm"))
            self._marks = sorted(marks, key=lambda mark: mark.step)
        return self._marks

    @property
    def last(self) -> int:
        """The last step that anything is known of."""
        return max([*self.steps[-1:], self.series.last_step])

    def fit(self, total: int) -> None:
        """Let the last phase end with the run, which is shorter the fewer augmented pairs are kept."""
        if self.spans and total > self.spans[-1].start:
            self.spans[-1] = replace(self.spans[-1], stop=total)

    def cut(self, run) -> bool:
        """Whether the run was resumed elsewhere from before its end: what is known here is not in it any more."""
        known = len(self.steps)
        return known > 0 and run.steps(known - 1)[:1].tolist() != self.steps[-1:]

    def nearest(self, step: float) -> int | None:
        """The place in ``steps`` of the recorded step closest to another; None without any."""
        at = bisect_left(self.steps, step)
        around = range(max(at - 1, 0), min(at + 1, len(self.steps)))
        return min(around, key=lambda k: abs(self.steps[k] - step), default=None)

    def status(self, run) -> Status:
        """What to say of a run that nobody trains here: 'elsewhere' while another process does."""
        finished = run.finished
        self.fit(self.last if finished else max(self.last, self.spans[-1].stop if self.spans else 0))
        total = self.spans[-1].stop if self.spans else self.last
        phase = next((span.name for span in self.spans if self.last <= span.stop), "poseaug")
        warm = phase == "warm-up"
        failed, ended = run.failure() is not None, "finished" if finished else "stopped"
        return Status(
            state="elsewhere" if run.being_written() else "failed" if failed else ended,
            phase="poseaug" if warm else phase,
            stage=phase if warm else "",
            step=self.last,
            steps=total,
            done=1.0,
        )


def errors(row: dict) -> dict[str, float]:
    """MPJPE by set, in millimetres (protocol poseaug16), of a row of metrics; empty where it is no evaluation."""
    end = "/poseaug16/mpjpe"
    return {k.removesuffix(end): float(v) for k, v in row["values"].items() if k.endswith(end) and v is not None}


def describe(found: dict[str, float]) -> str:
    return "MPJPE " + ", ".join(f"{name.replace('_', ' ')} {value:.1f} mm" for name, value in found.items())


def phases(config: Config, poses: int) -> list[Span]:
    """Pre-training, warm-up and PoseAug over the steps of a run on so many training poses; [] where that is unknown."""
    if poses < 1:
        return []
    plan, step, spans = Schedule(config, poses), 0, []
    for phase, epochs in (("pretrain", plan.pretrain_epochs), ("poseaug", config.epochs)):
        for epoch in range(epochs):
            stages = plan.stages(phase, epoch)
            name = "warm-up" if stages == ("warm-up",) else phase
            end = step + sum(plan.iterations(stage, poses) for stage in stages)
            if spans and spans[-1].name == name:
                spans[-1] = replace(spans[-1], stop=end)
            elif end > step:
                spans.append(Span(step, end, name))
            step = end
    return spans


def phase_names(config: Config) -> dict[str, str]:
    """The phases of a run of this config in words: the one after pre-training is named after what augments."""
    names = {"poseaug": "PoseAug", "evolution": "Evolution", "random": "Random views", "none": "Training"}
    return {"pretrain": "Pre-training", "warm-up": "Warm-up", "poseaug": names[config.augmentation]}


def change(entry: dict) -> str:
    """'beta BA: schedule -> 6' for an entry of the control log."""
    say = lambda v: "schedule" if v is None else f"{v:g}" if isinstance(v, float) else str(v).lower()  # noqa: E731
    knob = KNOBS.get(entry["field"])
    return f"{knob.label if knob else entry['field']}: {say(entry['old'])} \u2192 {say(entry['new'])}"
