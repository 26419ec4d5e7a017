"""The reference of metrics and the example alerts say what the code tells."""

from __future__ import annotations

import re

from console.config import PROJECT_DIR
from console.metrics.catalogue import FAMILIES

METRICS = (PROJECT_DIR / "docs" / "reference" / "metrics.md").read_text()
RULES = (PROJECT_DIR / "deploy" / "prometheus" / "alerts.yaml").read_text()


def test_every_metric_is_described_as_in_the_code() -> None:
    rows = re.findall(r"^\| `(celeriac_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", METRICS, flags=re.MULTILINE)
    written = [(name, kind, tuple(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows]
    assert written == [(one.name, one.kind, one.labels, one.text) for one in FAMILIES]


def test_names_are_what_prometheus_expects() -> None:
    names = [one.name for one in FAMILIES]
    assert len(names) == len({name.removesuffix("_total") for name in names})
    for one in FAMILIES:
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert not re.search(r"_(ms|minutes|mb|milliseconds)\b", one.name)


def test_alerts_and_examples_use_metrics_and_labels_that_there_are() -> None:
    known = {one.name: one for one in FAMILIES}
    for text in (METRICS, RULES):
        for used in set(re.findall(r"\bceleriac_[a-z_]+\b", text)):
            base = used if used in known else re.sub(r"_(bucket|sum|count)$", "", used)
            assert base in known, used
        for used, matched in re.findall(r"\b(celeriac_[a-z_]+)\{([^}]*)\}", text):
            for label in re.findall(r"(\w+)\s*[=!]~?", matched):
                assert label in known[used].labels, (used, label)


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    alerts = re.split(r"^ +- alert: ", RULES, flags=re.MULTILINE)[1:]
    assert len(alerts) >= 5
    for alert in alerts:
        for key in ("expr:", "for:", "severity:", "summary:", "description:"):
            assert key in alert, alert.splitlines()[0]
