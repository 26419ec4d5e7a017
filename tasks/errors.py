"""Ways a job fails that are not an error of its code. `celeriac_reason` is one of `console.jobs.rules.REASONS`."""

from __future__ import annotations

from typing import ClassVar


class JobError(Exception):
    """Base; its message is shown to people."""

    celeriac_reason: ClassVar[str] = "exception"


class InvalidPayload(JobError):
    """The payload does not fit the job type's schema. Trying again cannot help."""

    celeriac_reason = "invalid_payload"


class KilledItsWorker(JobError):
    """The job's process died again and again."""

    celeriac_reason = "worker_lost"


class MemoryLimitExceeded(JobError):
    """The job asked for more memory than it may have."""

    celeriac_reason = "memory"


class PermanentFailure(JobError):
    """Trying again cannot help; the job fails at once, whatever its retry policy says."""
