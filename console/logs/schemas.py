"""What the API takes and gives about what jobs logged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from console.logs.queries import LogLine, LogPage, Place
from console.web.rest import Instant, Line, Output, PageQuery


class LogQuery(PageQuery):
    """A page of a log, oldest line first."""

    attempt: Line = Field("", description='Of one attempt: its number and run, as in "2.0"; empty: of all.')
    level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "", description="The least level; empty: all."
    )

    def of(self) -> Place | None:
        """Which attempt is meant. Raises `InvalidInput`."""
        return Place.decode(self.attempt)


class LogLineAnswer(Output):
    """One line that a job logged."""

    attempt: int = Field(description="1 for the first.")
    run: int = Field(description="How often the message had been delivered again.")
    number: int = Field(description="Counts every line of the attempt, also those that were not kept.")
    at: Instant
    level: str = Field(description="DEBUG INFO WARNING ERROR CRITICAL")
    logger: str
    message: str
    exception: str | None
    left_out: int = Field(description="How many lines before this one were not kept.")


class LogAnswer(Output):
    """A page of lines."""

    data: list[LogLineAnswer]
    next: str | None = Field(description="The cursor of the next page; null: these are the last so far.")
    last: str | None = Field(description="The cursor that later lines follow, to ask again while the job runs.")


def log_answer(page: LogPage) -> LogAnswer:
    """A page as the API gives it."""
    read_to = page.read_to.encode() if page.read_to else None
    return LogAnswer(
        data=[line_answer(line) for line in page.lines],
        next=read_to if read_to and not page.is_last else None,
        last=read_to,
    )


def line_answer(line: LogLine) -> LogLineAnswer:
    """A line as the API gives it."""
    return LogLineAnswer(
        attempt=line.attempt,
        run=line.run,
        number=line.number,
        at=line.at,
        level=line.word,
        logger=line.logger,
        message=line.message,
        exception=line.exception,
        left_out=line.left_out,
    )
