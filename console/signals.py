"""What lower layers announce and higher ones subscribe to, in the composition roots.

Job events reach Python subscribers in the recorder process, after the transaction that stored them.
Each is sent with `sender` = the job type and `job` = a `console.jobs.rules.Snapshot`.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

job_processed = _signals.signal("job-processed", doc="JobProcessed: a job reached COMPLETED.")
job_failed = _signals.signal("job-failed", doc="JobFailed: a job reached FAILED or RETRYABLE.")
job_retrying = _signals.signal("job-retrying", doc="JobRetrying: an attempt failed and another one is planned.")

schedule_missed = _signals.signal(
    "schedule-missed", doc="Times of a schedule passed without a run. Sender: its name; `slots`: how many. In beat."
)
schedule_overdue = _signals.signal(
    "schedule-overdue", doc="A run's job had not ended by its time. Sender: the schedule's name; `job_id`. In beat."
)
