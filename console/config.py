"""Settings. The environment is read here and nowhere else; `celeriac doctor` prints what is in force.

Precedence: an environment variable, then what a running `celeriac up` wrote into the data directory
(`runtime.json`), then the default.
"""

from __future__ import annotations

import json
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasChoices, Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from console.errors import NotConfigured

PROJECT_DIR = Path(__file__).resolve().parent.parent
_INSTALLED = Path(__file__).resolve().parent / "_resources"
RESOURCES = _INSTALLED if _INSTALLED.is_dir() else PROJECT_DIR
"""Where templates/, static/ and migrations/ are: in an installed wheel beside the code, in a checkout at its root."""
RUNTIME_FILE = "runtime.json"
DATABASE_FILE = "celeriac.db"


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
    secure_cookies: bool = Field(
        False, validation_alias=_env("CELERIAC_SECURE_COOKIES"), description="Send cookies over HTTPS only."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias=_env("CELERIAC_LOG_LEVEL"), description="Least level that is logged."
    )
    streams: int = Field(
        1,
        ge=1,
        le=64,
        validation_alias=_env("CELERIAC_STREAMS"),
        description="Event streams; one recorder writes each. The same in every process.",
    )
    stream_limit: PositiveInt = Field(
        2_000_000,
        validation_alias=_env("CELERIAC_STREAM_LIMIT"),
        description="Entries (blocks of events) a stream may hold before `celeriac doctor` says so.",
    )
    concurrency: PositiveInt = Field(
        2, validation_alias=_env("CELERIAC_CONCURRENCY"), description="Child processes of a worker."
    )
    queue_retry_after: PositiveInt = Field(
        90,
        validation_alias=_env("QUEUE_RETRY_AFTER"),
        description="Told with each job type; a job of a dead worker comes back after 20 s, sooner than this.",
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
        """Where jobs read uploads and leave what they made: exports, thumbnails."""
        return self.data / "files"

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

    def queue_setting(self, queue: str, name: str, default: int) -> int:
        """A limit of one queue, `QUEUE_<QUEUE>_<NAME>` (for example QUEUE_EMAILS_TIMEOUT), else `default`.

        Raises `NotConfigured` when it is not a positive whole number.
        """
        variable = f"QUEUE_{queue}_{name}".upper().replace("-", "_").replace(".", "_")
        text = os.environ.get(variable, "")
        if not text:
            return default
        if not text.isdecimal() or int(text) < 1:
            raise NotConfigured(f"{variable} is {text!r}; it must be a whole number of at least 1.")
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
