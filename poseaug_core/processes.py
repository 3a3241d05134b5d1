"""One piece of work after another done by several processes, the results in order."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from poseaug_core.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")
#: Tasks that are begun before the result of the first of them is taken, for each process.
AHEAD = 3
#: Seconds between two questions whether to go on.
PATIENCE = 0.2


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int = 1,
    ask: Callable[[], None] = lambda: None,
    module: str = "",
) -> Iterator[Result]:
    """work(task) of each task, in the order of the tasks, by so many processes; by this one alone where jobs is 1.

    work is a function of a module, tasks and results can be pickled, and a program's own module must be safe to
    import. ask: called now and then; what it raises ends the work. module: what the processes have in common is
    imported from, once. At most AHEAD results a process wait to be taken. However the iterator ends, no process is
    left; should this process be killed, they end by themselves. What work raises is raised here in its place, with
    its traceback as a note; as a RuntimeError with its text where it cannot be pickled. UserError where a process is
    killed or cannot start.
    """
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            ask()
            yield work(task)
        return
    yield from _Crew(work, min(jobs, len(tasks)), module).results(tasks, ask)


class _Crew:
    """Processes, each at the end of a pipe."""

    def __init__(self, work: Callable, jobs: int, module: str):
        # Never a plain fork: threads of a window, of torch and of HDF5 hold locks that nobody would open in the copy.
        servers = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if servers else "spawn")
        if servers and module:
            context.set_forkserver_preload([module])
        self.work, self.jobs, self.context = work, jobs, context
        self.members: dict[Connection, BaseProcess] = {}

    def results(self, tasks: Sequence, ask: Callable[[], None]) -> Iterator[Any]:
        done: dict[int, tuple[Any, Exception | None]] = {}
        begun = 0
        try:
            for _ in range(self.jobs):
                ours, theirs = self.context.Pipe()
                process = self.context.Process(target=_serve, args=(theirs, self.work), daemon=True)
                process.start()
                theirs.close()
                self.members[ours] = process
            idle = list(self.members)
            for number in range(len(tasks)):
                while number not in done:
                    while idle and begun < min(len(tasks), number + AHEAD * self.jobs):
                        self._send(idle.pop(), (begun, tasks[begun]))
                        begun += 1
                    ask()
                    for member in wait(list(self.members), PATIENCE):
                        place, result, error = self._receive(member)
                        done[place] = result, error
                        idle.append(member)
                result, error = done.pop(number)
                if error is not None:
                    raise error
                yield result
        finally:
            for connection, process in self.members.items():
                process.terminate()
                connection.close()
            for process in self.members.values():
                process.join()

    def _send(self, member: Connection, task: tuple[int, Any]) -> None:
        try:
            member.send(task)
        except OSError:
            raise self._ended(member) from None

    def _receive(self, member: Connection) -> tuple[int, Any, Exception | None]:
        try:
            return member.recv()
        except (EOFError, OSError):
            raise self._ended(member) from None

    def _ended(self, member: Connection) -> UserError:
        process = self.members[member]
        process.join(PATIENCE * 10)  # whose pipe is closed already
        if (process.exitcode or 0) < 0:
            return UserError(
                "One of the processes that share the work was ended from outside, which systems do where memory runs "
                "out; close other programs, or work with fewer processes."
            )
        return UserError(
            f"One of the processes that share the work ended with code {process.exitcode} before it answered, and "
            "wrote why; a script that asks for several must do so under 'if __name__ == \"__main__\":'."
        )


def _serve(connection: Connection, work: Callable) -> None:
    """Do what comes until the other end is closed; whoever started this one decides what Ctrl-C means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            number, task = connection.recv()
            connection.send_bytes(_answer(work, number, task))
    except (EOFError, OSError):
        return


def _answer(work: Callable, number: int, task: Any) -> bytes:
    """(number, result, error) as they are sent."""
    try:
        return pickle.dumps((number, work(task), None))
    except Exception as error:
        return pickle.dumps((number, None, _sendable(error)))


def _sendable(error: Exception) -> Exception:
    """The error with its traceback as a note, or its text where it would not arrive: it has a constructor of its own,
    for instance."""
    error.add_note(f"In the process that did the work:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        text = RuntimeError(f"{type(error).__name__}: {error}")
        text.add_note(error.__notes__[-1])
        return text
    return error
