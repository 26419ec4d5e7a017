"""deploy/: the Kubernetes example and the reverse proxy, held to the container file, the command line and the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from console.cli import main
from console.config import PROJECT_DIR, Settings
from console.web import bodies, live

KUBERNETES = PROJECT_DIR / "deploy" / "kubernetes"
NGINX = (PROJECT_DIR / "deploy" / "nginx" / "celeriac.conf").read_text()
DOCKERFILE = (PROJECT_DIR / "deploy" / "Dockerfile").read_text()
LARGEST = f"{Settings().upload_mb + bodies.AROUND_FILES // bodies.MB}m"
KNOWN_SETTINGS = {setting.validation_alias.choices[0] for setting in Settings.model_fields.values()}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


KUSTOMIZATION = documents("kustomization.yaml")[0]
EVERYTHING = [one for name in KUSTOMIZATION["resources"] for one in documents(name)]
WORKLOADS = {one["metadata"]["name"]: one for one in EVERYTHING if one["kind"] in ("Deployment", "Job")}
LASTING = {name: one for name, one in WORKLOADS.items() if one["kind"] == "Deployment"}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def containers(workload: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]


def one(kind: str) -> dict[str, Any]:
    [found] = [each for each in EVERYTHING if each["kind"] == kind]
    return found


def understood(words: list[str]) -> None:
    """Parses the words as the command line does, without running anything."""
    name, *arguments = words
    command = main.get_command(click.Context(main), name)  # type: ignore[attr-defined]
    assert command is not None, f"celeriac has no command {name}"
    command.make_context(name, list(arguments))


def test_every_file_is_applied_except_the_example_of_a_secret() -> None:
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert files - set(KUSTOMIZATION["resources"]) == {"secret.example.yaml"}


def test_everything_runs_that_up_runs() -> None:
    assert {pod(each)["containers"][0]["args"][0] for each in LASTING.values()} == {"web", "work", "beat", "recorder"}
    assert pod(WORKLOADS["celeriac-migrate"])["containers"][0]["args"] == ["migrate", "--first-admin"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_its_commands_are_ones_that_the_command_line_has(name: str) -> None:
    """The image's entry point is `celeriac`, so that `args` are its words."""
    assert 'ENTRYPOINT ["celeriac"]' in DOCKERFILE
    for container in containers(WORKLOADS[name]):
        assert "command" not in container
        understood(container["args"])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "exec" in container.get(probe, {}):
                program, *words = container[probe]["exec"]["command"]
                assert program == "celeriac"
                understood(words)


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_container_may_more_than_it_needs(name: str) -> None:
    user = int(re.findall(r"useradd .*--uid (\d+)", DOCKERFILE)[0])
    spec = pod(WORKLOADS[name])
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, user)
    assert spec["automountServiceAccountToken"] is False
    for container in containers(WORKLOADS[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_is_written_to_can_be_written_to(name: str) -> None:
    [data] = re.findall(r"CELERIAC_DATA=(\S+)", DOCKERFILE)
    volumes = {volume["name"] for volume in pod(WORKLOADS[name])["volumes"]}
    for container in containers(WORKLOADS[name]):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert {data, "/tmp"} <= mounts.keys()
        assert set(mounts.values()) <= volumes


@pytest.mark.parametrize("name", ["celeriac-web", "celeriac-worker"])
def test_files_are_shared_and_events_stay_on_the_machine(name: str) -> None:
    settings = Settings(data=Path("/data"))
    directories = {str(getattr(settings, found)) for found in dir(Settings) if found.endswith("_dir")}
    [container] = pod(WORKLOADS[name])["containers"]
    shared = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "files"}
    assert shared == directories - {str(settings.spool_dir)}
    assert one("PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_service_does_not_become_a_setting(name: str) -> None:
    """Kubernetes would set CELERIAC_PORT=tcp://… for a service called celeriac."""
    assert pod(WORKLOADS[name])["enableServiceLinks"] is False


@pytest.mark.parametrize("name", LASTING)
def test_a_new_version_waits_for_the_schema(name: str) -> None:
    [first] = pod(LASTING[name])["initContainers"]
    assert first["args"] == ["doctor", "--only", "schema"]


def test_settings_are_ones_that_there_are() -> None:
    [secret] = documents("secret.example.yaml")
    named = one("ConfigMap")["data"].keys() | secret["stringData"].keys()
    assert named - KNOWN_SETTINGS == set()
    assert secret["stringData"].keys() == {"DATABASE_URL", "BROKER_URL", "SECRET_KEY"}
    Settings.model_validate(one("ConfigMap")["data"])
    for workload in WORKLOADS.values():
        for container in containers(workload):
            assert container["envFrom"] == [
                {"configMapRef": {"name": one("ConfigMap")["metadata"]["name"]}},
                {"secretRef": {"name": secret["metadata"]["name"]}},
            ]
            assert "env" not in container


def test_web_is_reached_where_it_listens() -> None:
    [container] = pod(LASTING["celeriac-web"])["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == int(re.findall(r"EXPOSE (\d+)", DOCKERFILE)[0]) == Settings().port
    paths = {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/healthz", "livenessProbe": "/healthz"}
    service = one("Service")
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["spec"]["selector"] == LASTING["celeriac-web"]["spec"]["template"]["metadata"]["labels"]
    [path] = one("Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]


def test_workers_have_time_to_end_their_jobs() -> None:
    longest = 300 + 5
    assert pod(LASTING["celeriac-worker"])["terminationGracePeriodSeconds"] > longest


def test_selectors_and_budgets_mean_the_pods_they_are_named_after() -> None:
    budgets = {one["metadata"]["name"]: one for one in EVERYTHING if one["kind"] == "PodDisruptionBudget"}
    assert budgets.keys() == LASTING.keys()
    for name, workload in LASTING.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels
        assert budgets[name]["spec"]["selector"]["matchLabels"] == labels


def test_the_ingress_lets_live_updates_through() -> None:
    notes = {name.rpartition("/")[2]: value for name, value in one("Ingress")["metadata"]["annotations"].items()}
    assert notes["proxy-buffering"] == "off"
    assert int(notes["proxy-read-timeout"]) > 2 * live.PING_S
    assert notes["proxy-body-size"] == LARGEST


def nginx_block(opening: str) -> str:
    return re.findall(rf"{re.escape(opening)} {{\n(.*?)\n    }}", NGINX, re.DOTALL)[0]


def test_nginx_lets_live_updates_through() -> None:
    live_block = nginx_block("location = /live")
    assert "proxy_buffering off;" in live_block
    assert "gzip off;" in live_block
    [minutes] = re.findall(r"proxy_read_timeout (\d+)m;", live_block)
    assert int(minutes) * 60 > 2 * live.PING_S
    assert f"client_max_body_size {LARGEST};" in NGINX


def test_nginx_sets_every_header_that_is_believed() -> None:
    """And adds to none that came from outside."""
    sets = dict(re.findall(r"proxy_set_header (\S+) (\S+);", NGINX))
    assert {f"X-Forwarded-{name}" for name in ("For", "Proto", "Host", "Port")} <= sets.keys()
    assert not [value for value in sets.values() if "$http_" in value or "proxy_add" in value]
    assert "proxy_set_header" not in nginx_block("location = /live"), "one there would drop all of those above"
    assert NGINX.count("{") == NGINX.count("}")
    assert f"server 127.0.0.1:{Settings().port};" in NGINX
    assert set(re.findall(r"CELERIAC_[A-Z_]+", NGINX)) <= KNOWN_SETTINGS
