"""Configuration: the shipped files are the defaults, and every bad one has its exact message."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from collector import cli as collector_cli
from collector import config as collector_config
from collector.app import build
from probe import cli as probe_cli
from probe import config as probe_config
from probe.wire.settings import ConfigError

ROOT = Path(__file__).parent.parent
BAD = Path(__file__).parent / "bad"


def cases(kind: str) -> list[tuple[Path, str]]:
    expected = tomllib.loads((BAD / kind / "expected.toml").read_text())
    return [(BAD / kind / name, message) for name, message in expected.items()]


def test_the_shipped_files_say_the_defaults_and_every_setting() -> None:
    probe_file, collector_file = ROOT / "configs" / "probe.toml", ROOT / "configs" / "collector.toml"
    assert probe_config.load(probe_file, {}, {}) == probe_config.Config()
    assert collector_config.load(collector_file, {}, {}) == collector_config.Config()
    for file, config in ((probe_file, probe_config.Config), (collector_file, collector_config.Config)):
        text = file.read_text()
        assert [name for name in config.__dataclass_fields__ if name not in text] == []


def test_the_shipped_platforms_are_the_four_and_each_has_its_roles() -> None:
    platforms = probe_config.load_platforms(probe_config.Config())
    assert [p.name for p in platforms] == ["x", "facebook", "instagram", "youtube"]
    for platform in platforms:
        assert {"web", "api", "static"} <= {role.name for role in platform.roles if role.required}


def test_users_shares_are_networks_by_country_and_reach_the_detector(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text("[shares]\nPK = { 45669 = 0.6, 59257 = 0.4 }\n")
    config = collector_config.load(file, {"data_dir": str(tmp_path)}, {})
    service = build(config)
    service.committer.close()
    assert service.detector.shares == {"PK": {45669: 0.6, 59257: 0.4}}


@pytest.mark.parametrize("kind", ["probe", "collector", "platforms"])
def test_every_bad_file_is_in_the_table(kind: str) -> None:
    assert {path.name for path, _ in cases(kind)} == {
        file.name for file in (BAD / kind).glob("*.toml") if file.name != "expected.toml"
    }


@pytest.mark.parametrize(("path", "message"), cases("probe"), ids=lambda x: getattr(x, "stem", ""))
def test_a_bad_agents_configuration_is_one_exact_line_and_status_2(
    path: Path, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe_cli.main(["config", "check", "--config", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"reachwatch-probe: {message}")


@pytest.mark.parametrize(("path", "message"), cases("collector"), ids=lambda x: getattr(x, "stem", ""))
def test_a_bad_collectors_configuration_is_one_exact_line_and_status_2(
    path: Path, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collector_cli.main(["config", "check", "--config", str(path)]) == 2
    assert capsys.readouterr().err == f"reachwatch-collector: {message}\n"


@pytest.mark.parametrize(("path", "message"), cases("platforms"), ids=lambda x: getattr(x, "stem", ""))
def test_a_bad_platform_file_is_one_exact_line(path: Path, message: str) -> None:
    config = probe_config.Config(platforms=(path.stem,), platform_dir=str(path.parent))
    with pytest.raises(ConfigError) as caught:
        probe_config.load_platforms(config)
    assert str(caught.value) == message


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for main in (probe_cli.main, collector_cli.main):
        assert main(["config", "check", "--config", "/nowhere/file.toml"]) == 2
        assert "/nowhere/file.toml: No such file or directory" in capsys.readouterr().err


def test_flags_go_before_environment_and_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "probe.toml"
    file.write_text('interval_s = 100\nstate_dir = "/from/file"\nconcurrency = 3\n')
    environ = {"REACHWATCH_INTERVAL_S": "200", "REACHWATCH_STATE_DIR": "/from/environment", "HOME": "/root"}
    config = probe_config.load(file, {"interval_s": 300.0, "state_dir": None}, environ)
    assert (config.interval_s, config.state_dir, config.concurrency) == (300.0, "/from/environment", 3)


def test_a_list_and_a_section_can_come_from_the_environment() -> None:
    environ = {"REACHWATCH_COLLECTOR__URLS": '["https://a.example"]'}
    assert probe_config.load(None, {}, environ).collector.urls == ("https://a.example",)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"REACHWATCH_INTERVALL_S": "60"}, "REACHWATCH_INTERVALL_S: intervall_s: unknown key"),
        (
            {"REACHWATCH_INTERVAL_S": "soon"},
            "REACHWATCH_INTERVAL_S: interval_s: Input should be a valid number",
        ),
        ({"REACHWATCH_TLS": "1"}, "REACHWATCH_TLS: tls: Input should be an object"),
        (
            {"REACHWATCH_TLS": "1", "REACHWATCH_TLS__CA_FILE": "x"},
            "tls.ca_file: tls is set as a value, and is a section",
        ),
        (
            {"REACHWATCH_CONTROLS__INNOCUOUS": ""},
            "REACHWATCH_CONTROLS__INNOCUOUS: controls: '' is not a host's name",
        ),
    ],
)
def test_a_mistyped_variable_is_refused_by_its_name(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        probe_config.load(None, {}, environ)
    assert str(caught.value) == message


WEBHOOK = {
    "REACHWATCH_WEBHOOKS": '[{name = "ops", url = "http://[::1]/", secret_file = "%s", countries = ["PK"]}]'
}


def test_a_webhook_on_this_machine_needs_no_https_and_its_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "A" * 32 + "\n")
    environ = {name: value % secret for name, value in WEBHOOK.items()}
    (webhook,) = collector_config.load(None, {}, environ).webhooks
    assert (webhook.key(), webhook.countries, webhook.phase) == (bytes(24), ("PK",), "confirmed")


def test_a_secret_is_in_no_message_and_no_representation() -> None:
    secret = "whsec_" + "A" * 32
    webhook = collector_config.Webhook(name="ops", url="https://example.org/", secret=secret)
    assert secret not in repr(collector_config.Config(webhooks=(webhook,)))
    with pytest.raises(ConfigError) as caught:
        collector_config.load(None, {}, {"REACHWATCH_WEBHOOKS": f'[{{name = "ops", secret = "{secret}"}}]'})
    assert secret not in str(caught.value)


def test_nameservers_are_read_as_resolv_conf_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# comment\nsearch lan\nnameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver\n"
        "nameserver router\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )
    resolvers = probe_config.Resolvers(resolv_conf=str(file))
    assert probe_config.system_resolvers(probe_config.Config(resolvers=resolvers)) == (
        "192.168.1.1",
        "fe80::1%eth0",
        "192.0.2.3",
    )
    missing = probe_config.Resolvers(resolv_conf=str(tmp_path / "none"))
    assert probe_config.system_resolvers(probe_config.Config(resolvers=missing)) == ()
