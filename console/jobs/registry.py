"""The job types this process knows: what can be dispatched, where it goes and what its payload looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from console.config import LEAST_RETRY_AFTER_S, settings
from console.errors import InvalidInput, NotFound
from console.jobs.policies import Fixed, RetryPolicy

DISPATCHING = {"dispatching": True}
"""The context of a payload's validation when it is dispatched; none when it runs."""
INTERNAL_PREFIX = "celeriac."
"""How the names of job types begin that are upkeep of Celeriac itself."""
INTERNAL_QUEUE = "celeriac"
"""Where Celeriac's own upkeep runs; its jobs are hidden unless asked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an attempt may use. Times in seconds, memory in MB; `max_attempts` counts the first one."""

    max_attempts: int
    timeout_s: int
    retry_after_s: int
    memory_mb: int = 256


def queue_limits(queue: str) -> Limits:
    """The limits of a queue: the product's defaults, each overridable by environment (see `Settings.queue_setting`)."""
    now = settings()
    own = {"emails": (5, now.queue_timeout, 120), "heavy": (2, 300, 600)}
    attempts, timeout, retry_after = own.get(queue, (now.queue_max_attempts, now.queue_timeout, now.queue_retry_after))
    return Limits(
        max_attempts=now.queue_setting(queue, "MAX_ATTEMPTS", attempts),
        timeout_s=now.queue_setting(queue, "TIMEOUT", timeout),
        retry_after_s=now.queue_setting(queue, "RETRY_AFTER", retry_after, least=LEAST_RETRY_AFTER_S),
        memory_mb=now.queue_setting(queue, "MEMORY_MB", 256),
    )


@dataclass(frozen=True, slots=True)
class JobType:
    """The code a worker runs, as the rest of the console needs to know it."""

    name: str
    queue: str
    schema: type[BaseModel]
    limits: Limits
    retry: RetryPolicy = field(default_factory=Fixed)
    priority: int | None = None
    description: str = ""
    acks_late: bool = True
    """Whether its message stays with the broker until the job has ended, so that it comes back when a worker dies."""
    keep_days: Mapping[str, float] = field(default_factory=dict)
    """Days for which its jobs are kept, by how they ended (`config.KEPT_STATES`); else what the settings say."""

    @property
    def is_internal(self) -> bool:
        """Whether it is upkeep of Celeriac itself."""
        return self.name.startswith(INTERNAL_PREFIX)

    def validate(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload as it will be sent. Raises `InvalidInput` naming each field that does not fit."""
        try:
            valid = self.schema.model_validate(payload, context=DISPATCHING)
            return dict(_with_secrets(valid.model_dump(mode="json"), valid.model_dump()))
        except ValidationError as error:
            problems = [
                {
                    "field": "payload." + ".".join(map(str, item["loc"])) if item["loc"] else "payload",
                    "message": item["msg"],
                }
                for item in error.errors()
            ]
            said = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
            raise InvalidInput(f"The payload does not fit {self.name}. {said}.", problems) from None


def _with_secrets(said: Any, meant: Any) -> Any:
    """What pydantic wrote as JSON, with the secrets that it masks (`SecretStr`): a worker has to get them."""
    if isinstance(meant, SecretStr):
        return meant.get_secret_value()
    if isinstance(meant, SecretBytes):
        return meant.get_secret_value().decode("utf-8", "surrogateescape")
    if isinstance(said, dict) and isinstance(meant, dict):
        return {key: _with_secrets(item, meant.get(key)) for key, item in said.items()}
    if isinstance(said, list) and isinstance(meant, list | tuple) and len(said) == len(meant):
        return [_with_secrets(*pair) for pair in zip(said, meant, strict=True)]
    return said


_types: dict[str, JobType] = {}


def register(job_type: JobType) -> None:
    """Makes a job type known to this process; a second one of the same name replaces the first."""
    _types[job_type.name] = job_type


def job_types() -> list[JobType]:
    """Every known job type, by name."""
    return [_types[name] for name in sorted(_types)]


def known(name: str) -> JobType | None:
    """The job type of that name; None when this process has no code for it."""
    return _types.get(name)


def job_type(name: str) -> JobType:
    """The job type of that name. Raises `NotFound` with names that come close."""
    if name in _types:
        return _types[name]
    raise NotFound(f"There is no job type {name!r}. Known ones: {', '.join(sorted(_types)) or 'none'}.")
