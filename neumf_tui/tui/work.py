"""The one way to work in threads: only the newest question of each kind is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from textual.screen import Screen
from textual.worker import get_current_worker

from neumf_tui.crash import message_of
from neumf_tui.errors import NeumfTuiError

Cancelled = Callable[[], bool]
"""Whether nobody waits for the answer any more; long work calls it now and then and stops."""
T = TypeVar("T")


@dataclass(eq=False)
class Question:
    """Work for a thread, and what is done with its answer; a newer one of its kind replaces it."""

    kind: str
    work: Callable[[Cancelled], Any]
    then: Callable[[Any], None]
    failed: Callable[[str], None]


class Asker:
    """Answers questions in threads: one thread for each kind, in which only the newest one waits.

    So a key held down costs two answers and no queue, and an outdated answer is dropped.
    """

    def __init__(self, screen: Screen[Any], failed: Callable[[str], None] | None = None) -> None:
        """
        screen: the owner of the threads, which are cancelled when it is removed.
        failed: shows why a question has no answer; a notification if None.
        """
        notify = partial(screen.notify, severity="error", markup=False, timeout=10)
        self._screen, self._failed = screen, failed or notify
        self._asked: dict[str, Question] = {}
        self._working: set[str] = set()

    def ask(
        self,
        kind: str,
        work: Callable[[Cancelled], T],
        then: Callable[[T], None],
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do `work` in a thread; on the screen's thread call `then` with the result, or `failed`.

        Neither is called if a newer question of this kind was asked meanwhile.
        """
        question = Question(kind, work, then, failed or self._failed)
        self._asked[kind] = question
        if kind not in self._working:
            self._working.add(kind)
            self._start(question)

    def drop(self, kind: str) -> None:
        """Ignore the answer to the question of this kind."""
        self._asked.pop(kind, None)

    def waiting(self, kind: str) -> bool:
        """Return whether an answer to a question of this kind is awaited."""
        return kind in self._asked and kind in self._working

    def _start(self, question: Question) -> None:
        self._screen.run_worker(
            partial(self._answer, question), group="ask", exit_on_error=False, thread=True
        )

    def _answer(self, question: Question) -> None:
        """Do the work; runs in the thread."""
        worker = get_current_worker()

        def cancelled() -> bool:
            return worker.is_cancelled or self._asked.get(question.kind) is not question

        value, problem = None, ""
        try:
            value = question.work(cancelled)
        except (NeumfTuiError, OSError) as error:
            problem = message_of(error)
        except Exception as error:  # noqa: BLE001 - shown, so that the screen can go on
            problem = f"{type(error).__name__}: {error}"
        self._screen.call_later(self._take, question, value, problem)

    def _take(self, question: Question, value: Any, problem: str) -> None:
        newest = self._asked.get(question.kind)
        if newest is not None and newest is not question:
            self._start(newest)
            return
        self._working.discard(question.kind)
        if newest is None:
            return
        if not problem:
            try:
                question.then(value)
            except (NeumfTuiError, OSError) as error:
                problem = message_of(error)
        if problem:
            question.failed(problem)
