"""Settings. The environment is read here and nowhere else; `celeriac doctor` prints what is in force.

Precedence: an environment variable, then what a running `celeriac up` wrote into the data directory
(`runtime.json`), then the default.
"""

from __future__ import annotations

import json
import os
import secrets
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasChoices, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from console.errors import NotConfigured

PROJECT_DIR = Path(__file__).resolve().parent.parent
_INSTALLED = Path(__file__).resolve().parent / "_resources"
RESOURCES = _INSTALLED if _INSTALLED.is_dir() else PROJECT_DIR
"""Where templates/, static/ and migrations/ are: in an installed wheel beside the code, in a checkout at its root."""
RUNTIME_FILE = "runtime.json"
DATABASE_FILE = "celeriac.db"
KEPT_STATES = ("COMPLETED", "FAILED", "CANCELLED")
"""The ends of jobs that are kept for a time of their own; FAILED stands for RETRYABLE too."""
LEAST_RETRY_AFTER_S = 30
"""What we can promise: a hold of 20 s (`console.broker.celery_app`), and the time until another worker looks."""


def _env(name: str) -> AliasChoices:
    return AliasChoices(name)


class Settings(BaseSettings):
    """Every setting, typed. Field descriptions are the reference in `docs/reference/settings.md`."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    data: Path = Field(
        Path("var"),
        validation_alias=_env("CELERIAC_DATA"),
        description="Directory of what Celeriac keeps on this machine: SQLite, embedded Valkey, spools, logs.",
    )
    database_url: str = Field(
        "",
        validation_alias=_env("DATABASE_URL"),
        description="PostgreSQL or SQLite. Empty: `celeriac.db` in the data directory.",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        validation_alias=_env("BROKER_URL"),
        description="Valkey or Redis. Empty: the server that `celeriac up` embeds.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=_env("SECRET_KEY"),
        description="Signs sessions and form tokens. Empty: made once and kept in the data.",
    )
    host: str = Field(
        "127.0.0.1", validation_alias=_env("CELERIAC_HOST"), description="Address the web server listens on."
    )
    port: int = Field(
        8000, ge=1, le=65535, validation_alias=_env("CELERIAC_PORT"), description="Port the web server listens on."
    )
    web_workers: PositiveInt = Field(
        1, validation_alias=_env("CELERIAC_WEB_WORKERS"), description="Web server processes."
    )
    web_threads: PositiveInt = Field(
        64,
        validation_alias=_env("CELERIAC_WEB_THREADS"),
        description="Threads of each web process; every open page holds one for its live updates.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        validation_alias=_env("CELERIAC_TRUSTED_PROXIES"),
        description="How many reverse proxies stand in front and set X-Forwarded-*.",
    )
    api_rate: str = Field(
        "600/minute",
        pattern=r"^[1-9]\d*/(second|minute|hour|day)$",
        validation_alias=_env("CELERIAC_API_RATE"),
        description="Requests to the API for each token: a number per second, minute, hour or day.",
    )
    secure_cookies: bool = Field(
        False, validation_alias=_env("CELERIAC_SECURE_COOKIES"), description="Send cookies over HTTPS only."
    )
    upload_mb: PositiveInt = Field(
        100,
        validation_alias=_env("CELERIAC_UPLOAD_MB"),
        description="MB that one upload may have, all its files together.",
    )
    upload_days: PositiveInt = Field(
        7,
        validation_alias=_env("CELERIAC_UPLOAD_DAYS"),
        description="Days after which an upload that no job has used up is removed.",
    )
    result_days: PositiveInt = Field(
        30,
        validation_alias=_env("CELERIAC_RESULT_DAYS"),
        description="Days for which the files that a job made can be downloaded.",
    )
    keep_completed_days: PositiveFloat = Field(
        7.0,
        validation_alias=_env("CELERIAC_KEEP_COMPLETED_DAYS"),
        description="Days for which completed jobs are kept after their end; `inf` keeps them for ever.",
    )
    keep_failed_days: PositiveFloat = Field(
        90.0,
        validation_alias=_env("CELERIAC_KEEP_FAILED_DAYS"),
        description="Days for which failed jobs, retryable ones too, are kept after their end.",
    )
    keep_cancelled_days: PositiveFloat = Field(
        30.0,
        validation_alias=_env("CELERIAC_KEEP_CANCELLED_DAYS"),
        description="Days for which cancelled jobs are kept after their end.",
    )
    keep_types: str = Field(
        "",
        validation_alias=_env("CELERIAC_KEEP_TYPES"),
        description="Days for single job types: `shop.noop=COMPLETED:1,shop.pay=FAILED:365`.",
    )
    keep_audit_days: PositiveFloat = Field(
        inf,
        validation_alias=_env("CELERIAC_KEEP_AUDIT_DAYS"),
        description="Days for which the audit log and past bulk actions are kept; `inf` keeps them for ever.",
    )
    undo_hours: PositiveFloat = Field(
        24.0,
        validation_alias=_env("CELERIAC_UNDO_HOURS"),
        description="Hours for which a flush by an action can be undone; until then its jobs are kept aside.",
    )
    ping_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        validation_alias=_env("CELERIAC_PING_URL"),
        description="An address that beat calls once a minute while it works: a dead-man check elsewhere. Empty: none.",
    )
    database_gb: PositiveFloat | None = Field(
        None,
        validation_alias=_env("CELERIAC_DATABASE_GB"),
        description="GB that the database may have, for `celeriac doctor`. Empty: what SQLite's disk has free.",
    )
    sensitive: str = Field(
        "",
        validation_alias=_env("CELERIAC_SENSITIVE"),
        description="Names of values to hide, beside the usual ones: `salary,tax_number`.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias=_env("CELERIAC_LOG_LEVEL"), description="Least level that is logged."
    )
    job_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF"] = Field(
        "INFO",
        validation_alias=_env("CELERIAC_JOB_LOG_LEVEL"),
        description="Least level of what our job types log that is shown on the job's page; OFF: nothing is kept.",
    )
    streams: int = Field(
        1,
        ge=1,
        le=64,
        validation_alias=_env("CELERIAC_STREAMS"),
        description="Event streams; one recorder writes each. The same in every process.",
    )
    stream_limit: PositiveInt = Field(
        512,
        validation_alias=_env("CELERIAC_STREAM_LIMIT"),
        description="MiB of events that a stream may hold; beyond it they wait on the workers' disks.",
    )
    spool_limit: PositiveInt = Field(
        1024,
        validation_alias=_env("CELERIAC_SPOOL_LIMIT"),
        description="MiB of events that may wait on disk for each worker or other process that is tracked.",
    )
    concurrency: PositiveInt = Field(
        2, validation_alias=_env("CELERIAC_CONCURRENCY"), description="Child processes of a worker."
    )
    queue_retry_after: int = Field(
        90,
        ge=LEAST_RETRY_AFTER_S,
        validation_alias=_env("QUEUE_RETRY_AFTER"),
        description="Seconds after which the job of a dead worker is queued again at the latest; at least 30.",
    )
    queue_max_attempts: PositiveInt = Field(
        3, validation_alias=_env("QUEUE_MAX_ATTEMPTS"), description="Attempts of a job, the first one included."
    )
    queue_timeout: PositiveInt = Field(
        60, validation_alias=_env("QUEUE_TIMEOUT"), description="Seconds an attempt may run."
    )
    mail_server: str = Field("127.0.0.1", validation_alias=_env("MAIL_SERVER"), description="SMTP server.")
    mail_port: int = Field(25, validation_alias=_env("MAIL_PORT"), description="SMTP port.")
    mail_use_tls: bool = Field(False, validation_alias=_env("MAIL_USE_TLS"), description="Use STARTTLS.")
    mail_use_ssl: bool = Field(False, validation_alias=_env("MAIL_USE_SSL"), description="Use TLS from the start.")
    mail_username: str | None = Field(None, validation_alias=_env("MAIL_USERNAME"), description="SMTP user name.")
    mail_password: SecretStr | None = Field(None, validation_alias=_env("MAIL_PASSWORD"), description="SMTP password.")
    mail_default_sender: str = Field(
        "Celeriac <celeriac@localhost>", validation_alias=_env("MAIL_DEFAULT_SENDER"), description="From address."
    )
    mail_timeout: PositiveInt = Field(
        20, validation_alias=_env("MAIL_TIMEOUT"), description="Seconds to wait for the SMTP server."
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        """Names the driver; the plain `postgres://` of hosting services is accepted."""
        for plain in ("postgres://", "postgresql://"):
            if url.startswith(plain):
                return "postgresql+psycopg://" + url.removeprefix(plain)
        if url and not url.startswith(("postgresql+psycopg://", "sqlite://")):
            raise ValueError("use postgresql://user:password@host/name or sqlite:///path")
        return url

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and urlsplit(url.get_secret_value()).scheme not in ("redis", "rediss"):
            raise ValueError("use redis://:password@host:6379/0 or rediss://…")
        return url

    @field_validator("keep_types")
    @classmethod
    def _known_types(cls, text: str) -> str:
        _days_of_types(text)
        return text

    @property
    def kept_days(self) -> dict[str, float]:
        """For how many days jobs are kept that have ended so, where their type says nothing else."""
        return {state: getattr(self, f"keep_{state.lower()}_days") for state in KEPT_STATES}

    @property
    def kept_days_of_types(self) -> dict[str, dict[str, float]]:
        """The same of single job types, as far as they are set."""
        return _days_of_types(self.keep_types)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return (
            self.database_url
            or self._runtime().get("database_url")
            or f"sqlite:///{(self.data / DATABASE_FILE).absolute()}"
        )

    @property
    def broker(self) -> str:
        """The broker URL in force. Raises `NotConfigured` when none is set and no `up` is running on this data."""
        url = self.broker_url.get_secret_value() or str(self._runtime().get("broker_url", ""))
        if not url:
            raise NotConfigured(
                f"No broker is known. Start `celeriac up --data {self.data}`, or set BROKER_URL (Redis or Valkey)."
            )
        return url

    @property
    def web_url(self) -> str:
        """Where the pages are, as seen from this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return str(self._runtime().get("web_url") or f"http://{host}:{self.port}")

    @property
    def spool_dir(self) -> Path:
        """Where processes on this machine write their events before these are shipped."""
        return self.data / "spool"

    @property
    def files_dir(self) -> Path:
        """Where people put what jobs are to read."""
        return self.data / "files"

    @property
    def uploads_dir(self) -> Path:
        """What was uploaded for jobs that have not used it yet."""
        return self.data / "uploads"

    @property
    def results_dir(self) -> Path:
        """What jobs made: exports, thumbnails."""
        return self.data / "results"

    def secret(self) -> str:
        """The signing key: from the environment, else made once and kept readable for its owner only."""
        if given := self.secret_key.get_secret_value():
            return given
        self.data.mkdir(parents=True, exist_ok=True)
        path = self.data / "secret_key"
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return path.read_text().strip()

    def queue_setting(self, queue: str, name: str, default: int, least: int = 1) -> int:
        """A limit of one queue, `QUEUE_<QUEUE>_<NAME>` (for example QUEUE_EMAILS_TIMEOUT), else `default`.

        Raises `NotConfigured` when it is not a whole number of at least `least`.
        """
        variable = f"QUEUE_{queue}_{name}".upper().replace("-", "_").replace(".", "_")
        text = os.environ.get(variable, "")
        if not text:
            return default
        if not text.isdecimal() or int(text) < least:
            raise NotConfigured(f"{variable} is {text!r}; it must be a whole number of at least {least}.")
        return int(text)

    def _runtime(self) -> dict[str, Any]:
        """What the running `celeriac up` on this data wrote down; empty when none runs."""
        try:
            runtime = dict(json.loads((self.data / RUNTIME_FILE).read_text()))
            os.kill(runtime["pid"], 0)
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, ProcessLookupError):
            return {}
        except PermissionError:  # it runs, as somebody else
            pass
        return runtime


@cache
def settings() -> Settings:
    """The settings in force. Raises `NotConfigured` naming each variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise NotConfigured(f"A setting cannot be used. {problems}.") from None


def _days_of_types(text: str) -> dict[str, dict[str, float]]:
    """Reads `keep_types`. Raises `ValueError` naming what does not fit."""
    found: dict[str, dict[str, float]] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        job_type, _, said = entry.rpartition("=")
        state, _, days = said.partition(":")
        try:
            is_good = bool(job_type) and state in KEPT_STATES and float(days) > 0
        except ValueError:
            is_good = False
        if not is_good:
            raise ValueError(f"{entry!r} is not TYPE=STATE:DAYS, where STATE is one of {', '.join(KEPT_STATES)}")
        found.setdefault(job_type, {})[state] = float(days)
    return found


def override(**environment: str) -> None:
    """Sets environment variables for this process and its children and reads the settings anew."""
    os.environ.update(environment)
    settings.cache_clear()


def without_password(url: str) -> str:
    """A URL that may be printed or logged."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
