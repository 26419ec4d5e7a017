"""Sending mail."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, EmailStr, Field

from console.jobs.policies import Exponential
from tasks import mailer
from tasks.job import Job


class EmailPayload(BaseModel):
    """One message to one address. `values` are what the template needs; `generic` needs `body` (Markdown)."""

    to: EmailStr
    subject: str = Field(min_length=1, max_length=500, pattern=r"^[^\r\n]+$")
    template: Literal["generic", "task_reminder", "password_reset", "verify_address", "alert"] = "generic"
    values: dict[str, Any] = Field(default_factory=dict)


class SendEmail(Job):
    """Sends a message in text and HTML from a template."""

    name = "emails.send"
    queue_name = "emails"
    schema = EmailPayload
    retry_policy = Exponential(base_s=30)

    def handle(self, payload: EmailPayload) -> dict[str, str]:
        """Returns to whom it went; the message id is the job's, so a repeated sending is the same message."""
        mailer.send(payload.to, payload.subject, payload.template, payload.values, str(self.request.id))
        return {"to": payload.to}
