"""Which searches would tell what the searcher may not see."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, SecretStr

from console.errors import InvalidInput
from console.jobs import registry
from console.jobs.registry import JobType, Limits
from console.jobs.search.guard import check_searchable
from console.jobs.search.language import parse


class Patient(BaseModel):
    key: SecretStr = SecretStr("")
    pair: tuple[int, SecretStr] = (1, SecretStr(""))
    found: list[dict[str, str]] = Field(default_factory=list, json_schema_extra={"sensitive": True})


@pytest.fixture(autouse=True)
def patients(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = JobType(name="tests.patient", queue="default", schema=Patient, limits=Limits(3, 60, 90))
    monkeypatch.setitem(registry._types, kind.name, kind)


@pytest.mark.parametrize(
    "search",
    ["args.password:hunter2", "-args.password:hunter2", "args.user.apiKey:h*", "args.0.token:x", "args.pin:>1000",
     "args.credentials.name:x", "state:failed args.n:1 args.many.0.card:4", "type:x args.password:y", "args.key:k",
     "type:tests.patient args.key:k", "type:tests.* args.key:k", "-type:x args.key:k", "type:a type:tests.patient args.key:k",
     "args.found.0.name:x", "args.pair.1:x", "args.pair.01:x", "args.pair.-1:x", "args.pair.+1:x"],
)  # fmt: skip
def test_a_guess_at_a_hidden_value_is_refused(search: str) -> None:
    with pytest.raises(InvalidInput, match=r"holds what is hidden from you.*permission jobs\.sensitive"):
        check_searchable(parse(search), sees_all=False)
    check_searchable(parse(search), sees_all=True)


@pytest.mark.parametrize(
    "search", ["args.user_id:42", "type:x args.key:k", "type:a type:b args.key:k", "args.author:x", "password", "args.0:x"]
)
def test_all_else_may_be_searched_for(search: str) -> None:
    check_searchable(parse(search), sees_all=False)
