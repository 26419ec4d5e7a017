"""Migrations, on both databases."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from console import db, revisions, schema
from console.config import PROJECT_DIR, RESOURCES
from console.errors import Conflict


def test_the_migrations_make_what_the_models_say(database: Engine) -> None:
    for models in PROJECT_DIR.glob("console/*/models.py"):
        import_module(f"console.{models.parent.name}.models")
    with database.connect() as connection:
        # SQLite does not tell the order of an index's columns, so that each with DESC seems to differ.
        compared = {"table", "column", "unique_constraint", "foreign_key_constraint"}
        if database.dialect.name == "postgresql":
            compared.add("index")
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": lambda _object, _name, kind, *_: kind in compared}
        )
        assert compare_metadata(context, db.Base.metadata) == []


def test_a_second_upgrade_finds_nothing_to_do(database: Engine) -> None:
    assert schema.is_current(database)
    assert not schema.upgrade(database)


def test_the_head_read_from_the_text_is_the_one_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(RESOURCES / "migrations"))
    assert revisions.head() == ScriptDirectory.from_config(config).get_current_head()


def test_a_database_of_a_newer_version_is_left_alone(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    with pytest.raises(Conflict, match=r"newer Celeriac \(schema ffff"):
        schema.upgrade(database)
    assert schema.current(database) == "ffff"


def test_a_new_file_is_not_prepared_until_somebody_can_sign_in(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    assert not revisions.is_prepared(path)
    engine = create_engine(f"sqlite:///{path}")
    db.configure_engine(engine)
    schema.upgrade(engine)
    assert not revisions.is_prepared(path)
    with engine.begin() as connection:
        connection.execute(
            text(
                'INSERT INTO "user" (id, email, role, password_hash, password_is_initial, session_key, active, created_at)'
                " VALUES ('1', 'ada@example.com', 'admin', 'x', false, 'y', true, 0)"
            )
        )
    engine.dispose()
    assert revisions.is_prepared(path)
    assert revisions.is_prepared(path, ["ada@example.com"])
    assert not revisions.is_prepared(path, ["ada@example.com", "support@localhost"])
