"""Jobs of Spark: those that one thread of ours asks for, told from the caller's own, so that they alone are ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from pets.common.entropy import random_id

Result = TypeVar("Result")

ENDING = 10.0
"""Seconds that are waited for tasks to end; what they write after that is left for the next making to sweep away."""


class Tagged:
    """The jobs that Spark runs for one thread, by a tag beside the caller's own.

    Args:
        context: the SparkContext.
    """

    def __init__(self, context: Any) -> None:
        self._context, self._tag = context, f"pets-{random_id()}"

    def interrupt(self) -> None:
        """End those that run."""
        self._context.cancelJobsWithTag(self._tag)

    @contextlib.contextmanager
    def tagged(self) -> Iterator[None]:
        """What this thread asks for meanwhile has the tag."""
        self._context.addJobTag(self._tag)
        try:
            yield
        finally:
            self._context.removeJobTag(self._tag)

    def apart(self, act: Callable[[], Result]) -> Result:
        """What ``act`` gives, whose jobs are these; it runs in a thread of its own, with what the caller's is set to.

        So Ctrl-C, which this thread then gets, does not meet one that waits for an answer of Java: whoever asked next
        would take that answer for its own. What breaks off ends the jobs, and waits until none of their tasks is at
        work: one that went on would write its file, and the folders above it, where they were just removed.
        """
        from pyspark import InheritableThread
        from pyspark.sql import SparkSession

        theirs: Any = SparkSession.active()
        found: Future[Result] = Future()

        def run() -> None:
            try:
                theirs._jvm.SparkSession.setActiveSession(theirs._jsparkSession)
                with self.tagged():
                    found.set_result(act())
            except BaseException as error:
                found.set_exception(error)

        thread = InheritableThread(target=run, daemon=True)
        thread.start()
        try:
            return found.result()
        except BaseException:
            until = time.monotonic() + ENDING
            with contextlib.suppress(Exception):  # Spark itself may be what is gone
                while time.monotonic() < until and (thread.is_alive() or self.tasks()):
                    self.interrupt()
                    thread.join(0.1)
            raise

    def tasks(self) -> int:
        """How many tasks of them are at work."""
        spark = self._context._jsc.sc()
        spark.listenerBus().waitUntilEmpty()  # what is told of tasks comes late otherwise
        tracker = self._context.statusTracker()
        jobs = [tracker.getJobInfo(job) for job in spark.statusTracker().getJobIdsForTag(self._tag)]
        stages = {stage for job in jobs if job is not None for stage in job.stageIds}
        found = [tracker.getStageInfo(stage) for stage in stages]
        return sum(stage.numActiveTasks for stage in found if stage is not None)
