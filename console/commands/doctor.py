"""`celeriac doctor`."""

from __future__ import annotations

from math import isfinite
from typing import Any

import click
from pydantic import AliasChoices, SecretStr

from console.commands import checks, output
from console.config import Settings, settings, without_password


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(checks.CHECKS)), help="Only this check; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, only: tuple[str, ...], as_json: bool) -> None:
    """Check every part of Celeriac and say what to do.

    The exit code is 1 when a check failed, so that scripts and health checks can use it.
    """
    found = list(checks.run_all(only))
    ok = all(finding.state != checks.FAIL for _, finding in found)
    if as_json:
        output.as_json({"ok": ok, "checks": [_as_dict(*one) for one in found], "settings": in_force()})
    else:
        for name, finding in found:
            click.echo(f"{finding.state:<5} {name:<9} {finding.seen}")
            if finding.advice:
                click.echo(f"{'':15} → {finding.advice}")
        if not only:
            click.echo("\nSettings in force:")
            for variable, value in in_force().items():
                click.echo(f"  {variable} = {value}")
    ctx.exit(0 if ok else 1)


def in_force() -> dict[str, Any]:
    """Every setting by its environment variable; secrets show only whether they are set."""
    shown: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else name
        shown[variable] = _shown(name, getattr(settings(), name))
    return shown


def _shown(name: str, value: Any) -> Any:
    if name.endswith("_url"):
        url = value.get_secret_value() if isinstance(value, SecretStr) else value
        return without_password(url) if url else ""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    is_plain = isinstance(value, int | bool | None) or (isinstance(value, float) and isfinite(value))
    return value if is_plain else str(value)


def _as_dict(name: str, finding: checks.Finding) -> dict[str, str]:
    return {"check": name, "state": finding.state, "seen": finding.seen, "advice": finding.advice}
