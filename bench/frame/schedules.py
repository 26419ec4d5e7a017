"""Many schedules, put straight into the tables: each by the service would take minutes."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import insert, text

from console import clock, db, ids
from console.schedules.definition import parse_definition
from console.schedules.models import Schedule, ScheduleSearch

CHUNK = 5_000
PAUSED_OF, LATE_OF = 10, 5_000
WORDS = (
    "backup", "cleanup", "customer", "export", "import", "index", "invoice", "ledger", "mail", "newsletter", "payment",
    "price", "report", "stock", "sync",
)  # fmt: skip


def fill_schedules(count: int) -> None:
    """Schedules with names as people give them; one in ten is paused, a few are late."""
    random, now = Random(1), clock.now()
    for start in range(0, count, CHUNK):
        rows = [_row(number, random, now) for number in range(start, min(count, start + CHUNK))]
        found = [ScheduleSearch.of(Schedule(id=row["id"], name=row["name"], type=row["type"])) for row in rows]
        with db.writing() as session:
            session.execute(insert(Schedule), rows)
            session.add_all(found)
    statement = "VACUUM ANALYZE" if db.engine().dialect.name == "postgresql" else "ANALYZE"
    with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def _row(number: int, random: Random, now: datetime) -> dict[str, object]:
    first, second = random.choice(WORDS), random.choice(WORDS)
    said = {"name": f"{first.title()} {second} {number:06}", "type": f"shop.{first}_{second}"}
    one = parse_definition(said | {"kind": "every", "every": 1, "unit": "hours", "note": "Looked after by the shop."})
    due = now + timedelta(seconds=random.randrange(3_600, 7_200) if number % LATE_OF else -3_600)
    return said | {
        "id": ids.new_id(), "kind": one.kind, "definition": one.to_json(), "ver": 1, "rev": 0,
        "state": "active" if number % PAUSED_OF else "paused", "nominal_at": due, "due_at": due, "fired": 0,
        "missed": 0, "pause_reason": "", "problem": "", "built_in": False, "created_at": now, "changed_at": now,
        "changed_by": "bench",
    }  # fmt: skip
