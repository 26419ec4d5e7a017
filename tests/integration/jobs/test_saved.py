"""Saved searches when several people and programs save at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select

from console import db
from console.actor import Actor
from console.audit.models import AuditEntry
from console.errors import Conflict, InvalidInput
from console.jobs.models import SavedSearch
from console.jobs.search import saved

ADA = Actor("ada@example.com", "support")


def save(n: int) -> str:
    try:
        with db.writing() as session:
            saved.save_search(session, ADA, "mine", f"attempt:{n}", False)
    except Conflict:
        return "conflict"
    return "saved"


def test_one_name_is_one_search_however_many_save_it_at_once(database: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(save, range(24)))
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(SavedSearch)) == 1
        entries = session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "searches.save"))
    assert entries == outcomes.count("saved") > 0, "what was refused has left no trace"


def test_there_is_an_end_to_how_many(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "MOST", 2)
    with db.writing() as session:
        for name in ("a", "b"):
            saved.save_search(session, ADA, name, "", False)
        saved.save_search(session, ADA, "b", "x", False)
        with pytest.raises(InvalidInput, match="Delete one first"):
            saved.save_search(session, ADA, "c", "", False)
        saved.save_search(session, Actor("bob@example.com", "support"), "c", "", True)
        assert [one.name for one in saved.list_saved(session, ADA)] == ["a", "b", "c"]
