"""Job types to try things with, and the workload of `up --demo`."""

from __future__ import annotations

import logging
import os
import signal
import time
from random import Random
from typing import Any, Literal

from celery.exceptions import SoftTimeLimitExceeded
from pydantic import BaseModel, Field, SecretStr

from console.config import settings
from console.jobs.policies import Exponential, Fixed, Never
from tasks.job import Job

log = logging.getLogger(__name__)


class Nothing(BaseModel):
    """No payload."""


class SleepPayload(BaseModel):
    """How long to sleep."""

    seconds: float = Field(1.0, ge=0, le=3_600)


class FailPayload(BaseModel):
    """What to say."""

    message: str = Field("It failed, as it was told to.", max_length=2_000)


class FlakyPayload(BaseModel):
    """How often to fail before it works."""

    fail_times: int = Field(1, ge=0, le=20)


class ChunksPayload(BaseModel):
    """How many steps to take, and how long each one lasts."""

    chunks: int = Field(20, ge=1, le=10_000)
    seconds_each: float = Field(0.2, ge=0, le=60)


class OrderPayload(BaseModel):
    """An order of the pretended shop."""

    order_id: int
    amount: float = 10.0


class OrderLine(BaseModel):
    """What is bought."""

    sku: str = Field(min_length=1, max_length=40)
    count: int = Field(1, ge=1, le=999)
    is_gift: bool = False


class Address(BaseModel):
    """Where it is sent."""

    street: str
    city: str
    country: Literal["AT", "CH", "DE"] = "DE"


class ChargePayload(OrderPayload):
    """An order to be paid, with what a form has to show: a list, something within, a secret."""

    currency: Literal["EUR", "CHF"] = "EUR"
    card_token: SecretStr | None = Field(None, description="What the payment service gave for the card.")
    notify: bool = Field(True, description="Whether the customer gets a mail.")
    lines: list[OrderLine] = Field(default_factory=list, max_length=20)
    ship_to: Address | None = None
    notes: list[str] = Field(default_factory=list)
    more: dict[str, str] = Field(default_factory=dict, description="Whatever else the shop knows.")


class Noop(Job):
    """Does nothing."""

    name = "demo.noop"
    schema = Nothing
    retry_policy = Never()

    def handle(self, payload: Nothing) -> None:
        """Nothing."""


class Sleep(Job):
    """Sleeps."""

    name = "demo.sleep"
    schema = SleepPayload
    retry_policy = Never()

    def handle(self, payload: SleepPayload) -> float:
        """Returns how long it slept, in seconds."""
        time.sleep(payload.seconds)
        return payload.seconds


class AtMostOnce(Job):
    """Sleeps, and is not run again when its worker dies meanwhile: for work that must not be done twice."""

    name = "demo.at_most_once"
    schema = SleepPayload
    retry_policy = Never()
    acks_late = False

    def handle(self, payload: SleepPayload) -> float:
        """Returns how long it slept, in seconds."""
        time.sleep(payload.seconds)
        return payload.seconds


class Fail(Job):
    """Always fails, and is not tried again."""

    name = "demo.fail"
    schema = FailPayload
    retry_policy = Never()

    def handle(self, payload: FailPayload) -> None:
        """Raises."""
        raise RuntimeError(payload.message)


class Flaky(Job):
    """Fails the given number of times, a second apart, then works."""

    name = "demo.flaky"
    schema = FlakyPayload
    retry_policy = Fixed((1,))
    max_attempts = 25

    def handle(self, payload: FlakyPayload) -> str:
        """Raises in the first `fail_times` attempts."""
        if self.attempt <= payload.fail_times:
            raise ConnectionError(f"attempt {self.attempt} of the {payload.fail_times} that fail")
        return f"worked at attempt {self.attempt}"


class Kill(Job):
    """Kills its own process, as a crash in a library would."""

    name = "demo.kill"
    schema = Nothing
    retry_policy = Never()

    def handle(self, payload: Nothing) -> None:
        """Does not return."""
        os.kill(os.getpid(), signal.SIGKILL)


class Mark(Job):
    """Adds its id to `demo.mark` among the console's files, so that what ran can be counted from outside."""

    name = "demo.mark"
    schema = Nothing
    retry_policy = Never()

    def handle(self, payload: Nothing) -> None:
        """Adds a line."""
        settings().files_dir.mkdir(parents=True, exist_ok=True)
        with (settings().files_dir / self.name).open("a") as file:
            file.write(f"{self.request.id}\n")
        time.sleep(0.005)


class StuckPayload(BaseModel):
    """How long to sleep, and whether to go on when told that the time is up."""

    seconds: float = Field(600, ge=0, le=3_600)
    ignore_first_limit: bool = True


class Stuck(Job):
    """Runs past its time limit."""

    name = "demo.stuck"
    queue_name = "heavy"
    schema = StuckPayload
    retry_policy = Fixed((1,))

    def handle(self, payload: StuckPayload) -> None:
        """Sleeps on when the soft limit interrupts it, if told so."""
        try:
            time.sleep(payload.seconds)
        except SoftTimeLimitExceeded:
            if not payload.ignore_first_limit:
                raise
            time.sleep(payload.seconds)


class AllocatePayload(BaseModel):
    """How much memory to ask for."""

    megabytes: int = Field(600, ge=1, le=100_000)


class Allocate(Job):
    """Asks for memory, more than it may have if told so."""

    name = "demo.allocate"
    schema = AllocatePayload
    retry_policy = Never()

    def handle(self, payload: AllocatePayload) -> int:
        """Returns how many bytes it got."""
        return len(bytearray(payload.megabytes * 1024 * 1024))


class Chunks(Job):
    """Works step by step and reports how far it is."""

    name = "demo.progress"
    queue_name = "heavy"
    schema = ChunksPayload
    retry_policy = Never()

    def handle(self, payload: ChunksPayload) -> int:
        """Returns the number of steps."""
        for step in range(1, payload.chunks + 1):
            time.sleep(payload.seconds_each)
            self.progress(step, payload.chunks, f"step {step} of {payload.chunks}")
        return payload.chunks


class LogPayload(BaseModel):
    """How many lines to log, and how long to wait after each."""

    lines: int = Field(10, ge=0, le=1_000_000)
    seconds_each: float = Field(0.0, ge=0, le=60)


class Log(Job):
    """Logs lines of several levels."""

    name = "demo.log"
    queue_name = "heavy"
    schema = LogPayload
    retry_policy = Never()

    def handle(self, payload: LogPayload) -> int:
        """Returns how many lines it logged."""
        for number in range(1, payload.lines + 1):
            level = logging.ERROR if number % 50 == 0 else logging.WARNING if number % 10 == 0 else logging.INFO
            log.log(level, "line %d of %d", number, payload.lines)
            time.sleep(payload.seconds_each)
        return payload.lines


class ChargeOrder(Job):
    """Charges an order at a pretended payment service, which is away now and then."""

    name = "demo.charge_order"
    schema = ChargePayload
    retry_policy = Exponential(base_s=2, cap_s=20)

    def handle(self, payload: ChargePayload) -> dict[str, Any]:
        """Fails for some orders for good, for others only at first."""
        log.info("charging order %d: %.2f", payload.order_id, payload.amount)
        if payload.order_id % 17 == 0:
            log.error("card declined, code 51")
            raise ValueError(f"card of order {payload.order_id} was declined (code 51)")
        if payload.order_id % 5 == 0 and self.attempt == 1:
            log.warning("payment.example is slow: 3 s passed")
            raise TimeoutError("payment.example did not answer within 3 s")
        time.sleep(Random(payload.order_id).uniform(0.01, 0.2))
        return {"order_id": payload.order_id, "charged": payload.amount}


class IndexDocument(Job):
    """Puts a pretended document in a search index; some documents are broken in different ways."""

    name = "demo.index_document"
    schema = OrderPayload
    retry_policy = Never()

    def handle(self, payload: OrderPayload) -> None:
        """Fails in three ways."""
        broken: dict[int, Exception] = {
            0: KeyError("title"),
            1: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            2: LookupError("no such index: docs-v2"),
        }
        if payload.order_id % 13 in broken:
            raise broken[payload.order_id % 13]
        time.sleep(0.02)
