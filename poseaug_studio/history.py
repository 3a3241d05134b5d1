"""History: what a run folder holds over its steps, as the timeline and the curves want it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from poseaug_core.config import Config
from poseaug_core.controls import KNOBS
from poseaug_core.live import Status
from poseaug_core.schedule import Schedule

EVALUATION, CONTROL, BEST = "evaluation", "control", "best"


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step; kind: EVALUATION, CONTROL or BEST."""

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
    """steps: of the recorded snapshots, rising. rows: metrics. log: control changes. spans: the phases."""

    steps: list[int] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    log: list[dict] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    next_row: int = 0

    @classmethod
    def read(cls, run) -> History:
        rows, following = run.metrics(0)
        found = cls(rows=list(rows), next_row=following)
        found.update(run)
        return found

    def update(self, run) -> bool:
        """Whether the run has snapshots or control changes that were not known."""
        steps, log = [int(step) for step in run.steps()], list(run.control_log())
        if not self.spans:
            self.spans = phases(run.config, run.data["sets"]["source"]["poses"])
        changed = steps != self.steps or len(log) != len(self.log)
        self.steps, self.log = steps, log
        return changed

    def add_rows(self, rows: list[dict]) -> None:
        self.rows.extend(rows)

    def marks(self) -> list[Mark]:
        scored = {int(row["step"]): errors(row) for row in self.rows if errors(row)}
        marks = [Mark(step, EVALUATION, describe(found)) for step, found in scored.items()]
        marks += [Mark(int(entry["step"]), CONTROL, change(entry)) for entry in self.log]
        judged = {step: found["source_test"] for step, found in scored.items() if "source_test" in found}
        if judged:
            best = min(judged, key=judged.get)
            marks.append(Mark(best, BEST, f"lowest error on the source test set: {judged[best]:.1f} mm"))
        return sorted(marks, key=lambda mark: mark.step)

    @property
    def last(self) -> int:
        """The last step that anything is known of."""
        return max([*self.steps[-1:], *(int(row["step"]) for row in self.rows[-1:])], default=0)

    def fit(self, total: int) -> None:
        """Let the last phase end with the run, which is shorter the fewer augmented pairs are kept."""
        if self.spans and total > self.spans[-1].start:
            self.spans[-1] = replace(self.spans[-1], stop=total)

    def cut(self, run) -> bool:
        """Whether the run was resumed elsewhere from before its end: what is known here is not in it any more."""
        steps = run.steps()[: len(self.steps)]
        return len(steps) < len(self.steps) or list(map(int, steps)) != self.steps

    def nearest(self, step: int) -> int | None:
        """The recorded step closest to another; None without any."""
        return min(self.steps, key=lambda known: abs(known - step), default=None)

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
    """Pre-training, warm-up and PoseAug over the steps of a run on so many training poses."""
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
