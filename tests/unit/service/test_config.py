from __future__ import annotations

from pathlib import Path

import pytest

from pets.errors import UserError
from pets.protection.policy import Policy
from pets.service.access.code_flow import Client
from pets.service.config import Config
from pets.service.http.limits import Limits
from pets.service.wire.device_login import DeviceLogin

WHOLE = """
ledger: $PETS_LEDGER
keys: keys
listen: {host: 0.0.0.0, port: 9000}
answering: {processes: 2, timeout: 60, memory: 4GB, threads: 2}
limits: {per_minute: 60, max_waiting: 5}
login:
  issuer: https://login.example.org
  audience: pets
  jwks: https://login.example.org/keys
  algorithms: [RS256]
  claims: {roles: groups}
  device: {client: pets-client, resource: "https://host/pets"}
  client: {id: pets-console, secret: $CONSOLE_SECRET, scope: openid profile}
public_log: true
public_register: true
console: no
metrics: true
datasets:
  - schema: stays.yaml
    data: {stays: stays.csv, people: "postgresql://h/d#people"}
    snapshots: snap
    budget: {epsilon: 3, delta: 1e-6}
    policy: {max_numbers: 1000, allow_unbounded: no}
"""
PROVIDER = "issuer: a, audience: b, jwks: 'https://x'"
LEAST = "ledger: ledger.db\ndatasets:\n  - {schema: stays.yaml, snapshots: snap}\n"


def load(folder: Path, text: str) -> Config:
    (folder / "service.yaml").write_text(text, "utf-8")
    return Config.load(folder / "service.yaml")


def test_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETS_LEDGER", "postgresql://pets:secret@db/pets")
    monkeypatch.setenv("CONSOLE_SECRET", "s3")
    found = load(tmp_path, WHOLE)
    (opening,) = found.openings
    assert (found.host, found.port, found.processes, found.timeout, found.memory) == ("0.0.0.0", 9000, 2, 60.0, "4GB")
    assert found.limits == Limits(per_minute=60, max_waiting=5) and found.public_log and found.metrics
    assert found.login is not None and found.login.algorithms == ("RS256",)
    told = DeviceLogin("https://login.example.org", "pets-client", resource="https://host/pets")
    assert found.login.device == told and told.scope == "openid offline_access"
    assert found.client == Client("pets-console", "s3", "openid profile")
    assert (found.console, found.public_register) == (False, True)
    assert opening.schema == str(tmp_path / "stays.yaml") and opening.snapshots == str(tmp_path / "snap")
    assert opening.data == {"stays": str(tmp_path / "stays.csv"), "people": "postgresql://h/d#people"}
    assert opening.ledger == "postgresql://pets:secret@db/pets" and opening.keys == str(tmp_path / "keys")
    assert opening.budget == {"epsilon": 3, "delta": "0.000001", "threshold_delta": 0}
    assert opening.policy == {"allow_unbounded": False, "max_numbers": 1000} and opening.threads == 2


@pytest.mark.parametrize(
    ("ledger", "cores", "said", "wanted"),
    [
        ("ledger.db", 8, "", 1),  # one process writes to a file at a time
        ("sqlite:///ledger.db", 8, "", 1),
        ("postgresql://pets@db/pets", 1, "", 1),
        ("postgresql://pets@db/pets", None, "", 1),
        ("postgresql://pets@db/pets", 2, "", 2),
        ("postgresql+psycopg://pets@db/pets", 8, "", 2),
        ("postgresql://pets@db/pets", 8, "answering: {timeout: 60}\n", 2),
        ("postgresql://pets@db/pets", 8, "answering: {processes: 1}\n", 1),
        ("postgresql://pets@db/pets", 8, "answering: {processes: 0}\n", 0),
        ("$PETS_LEDGER", 8, "", 2),
    ],
)
def test_so_many_answer_as_the_ledger_lets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: str, cores: int | None, said: str, wanted: int
) -> None:
    monkeypatch.setenv("PETS_LEDGER", "postgresql://pets:secret@db/pets")
    monkeypatch.setattr("pets.service.config.os.cpu_count", lambda: cores)
    assert load(tmp_path, LEAST.replace("ledger.db", ledger) + said).processes == wanted


def test_the_least_that_a_file_says(tmp_path: Path) -> None:
    found = load(tmp_path, LEAST)
    assert (found.host, found.processes, found.login) == ("127.0.0.1", 1, None)
    assert (found.console, found.public_register, found.client) == (True, False, None)
    assert not (found.public_log or found.metrics)
    assert found.openings[0].ledger == str(tmp_path / "ledger.db") and found.openings[0].budget is None


@pytest.mark.parametrize("stage", ["before", "after"])
def test_a_second_person_is_asked_for_in_the_file(tmp_path: Path, stage: str) -> None:
    (opening,) = load(
        tmp_path, LEAST.replace("snapshots: snap}", f"snapshots: snap, policy: {{approval: {stage}}}}}")
    ).openings
    assert opening.policy["approval"] == stage


def test_who_decides_about_outputs_is_said_in_the_file(tmp_path: Path) -> None:
    rules = "policy: {output_votes: 3, output_logins: yes, output_same_project: yes}"
    (opening,) = load(tmp_path, LEAST.replace("snapshots: snap}", f"snapshots: snap, {rules}}}")).openings
    policy = Policy.from_json(opening.policy)
    assert (policy.output_votes, policy.output_logins, policy.output_same_project) == (3, True, True)


@pytest.mark.parametrize("written", ["hes", "[hes]", "[hes, midpoint6]"])
def test_rules_of_disclosure_control_are_allowed_by_name(written: str, tmp_path: Path) -> None:
    rules = f"policy: {{sdc: {written}, sdc_width: 4, sdc_filters: any}}"
    (opening,) = load(tmp_path, LEAST.replace("snapshots: snap}", f"snapshots: snap, {rules}}}")).openings
    assert opening.policy["sdc"][0] == "hes" and opening.policy["sdc_width"] == 4
    assert Policy.from_json(opening.policy).sdc_filters == "any"


WRONG = [
    ("ledger: l.db\n", "line 1: a service needs 'datasets'"),
    ("", "a service is written as names"),
    ("- a\n", "a service is written as names"),
    (LEAST + "lisen: {port: 1}\n", "line 4: a service has no 'lisen'; did you mean 'listen'"),
    (LEAST + "listen: {prot: 1}\n", "line 4: listen has no 'prot'; did you mean 'port'"),
    (LEAST + "listen: {port: web}\n", "line 4: port cannot be 'web'; write a number such as"),
    (LEAST + "listen: {port: 70000}\n", "port must be from 1 to 65535"),
    (LEAST + "listen: 8000\n", "line 4: listen is written as names with values"),
    (LEAST + "answering: {processes: -1}\n", "processes must be from 0 to 64"),
    (LEAST + "answering: {timeout: soon}\n", "line 4: timeout cannot be 'soon'; write seconds"),
    (LEAST + "answering: {timeout: 0}\n", "timeout must be from 1 to 86400"),
    (LEAST + "answering: {processes: 1_0}\n", "line 4: processes cannot be '1_0'; write a number"),
    (LEAST + "answering: {processes: 0, memory: lots}\n", "line 4: memory 'lots' is not a size"),
    (LEAST + "answering: {threads: -3}\n", "line 4: threads cannot be '-3'; write a number of at least 1"),
    (LEAST + "login: {}\n", "line 4: a login needs 'issuer'; add it, or leave"),
    (LEAST + "login: {issuer: a, audience: b, jwks: 'https://x', algorithms: []}\n", "allow at least one algorithm"),
    (LEAST + "login: {issuer: a, audience: b, jwks: 'https://x', claims: {project: }}\n", "the claim for project"),
    (LEAST + "  - {schema: stays.yaml, snapshots: snap}\n", "the same schema is served twice"),
    (LEAST.replace("snap}", "snap, policy: {approval: yes}}"), "approval must be 'before' or 'after'"),
    (LEAST.replace("snap}", "snap, policy: {sdc: [strict_10]}}"), "a rule to check tables by"),
    (LEAST.replace("snap}", "snap, policy: {sdc: [[hes]]}}"), "write a list of rules, such as [hes]"),
    (LEAST + "limits: {per_minute: 0}\n", "line 4: per_minute must be a whole number above 0"),
    (LEAST + "public_log: maybe\n", "line 4: public_log cannot be 'maybe'; write true or false"),
    (LEAST + f"login: {{{PROVIDER}, client: {{secret: x}}}}\n", "line 4: the client of a login needs 'id'; add it"),
    (
        LEAST + f"login: {{{PROVIDER}, client: {{id: a, scope: b}}}}\n",
        "line 4: the scope of a login's client must have",
    ),
    (
        LEAST + f"login: {{{PROVIDER}, client: {{id: a, sekret: b}}}}\n",
        "client has no 'sekret'; did you mean 'secret'?",
    ),
    (LEAST + f"login: {{{PROVIDER}, client: pets}}\n", "client is written as names with values, not as 'pets'"),
    (LEAST + "console: maybe\n", "console cannot be 'maybe'; write true or false"),
    (LEAST + "login: {issuer: a}\n", "line 4: a login needs 'audience'; add it"),
    (
        LEAST + "login: {issuer: a, audience: b, jwks: 'http://x/y'}\n",
        "line 4: the keys of logins are fetched by https",
    ),
    (LEAST + "login: {issuer: a, audience: b, jwks: 'https://x', algorithms: [HS256]}\n", "never signed by 'HS256'"),
    (LEAST + "login: {issuer: a, audience: b, jwks: 'https://x', claims: {rols: x}}\n", "did you mean 'roles'"),
    ("ledger: $NO_SUCH_NAME\ndatasets: [{schema: a, snapshots: b}]\n", "line 1: the environment has no 'NO_SUCH_NAME'"),
    ("ledger: l.db\ndatasets: []\n", "there is no dataset to serve"),
    ("ledger: l.db\ndatasets: {schema: a}\n", "line 2: datasets is a list"),
    ("ledger: l.db\ndatasets: [{schema: a}]\n", "line 2: a dataset needs 'snapshots'; add it"),
    ("ledger: l.db\ndatasets: [a]\n", "a dataset is written as names"),
    ("ledger: l.db\ndatasets: [{schema: a, snapshots: b, data: c}]\n", "line 2: data names each table's source"),
    ("ledger: l.db\ndatasets: [{schema: a, snapshots: b, budget: {delta: 0}}]\n", "line 2: a budget needs its epsilon"),
    ("ledger: l.db\ndatasets: [{schema: a, snapshots: b, budget: {epsilon: -1}}]\n", "line 2: epsilon must be greater"),
    ("ledger: l.db\ndatasets: [{schema: a, snapshots: b, policy: {max_numbers: 0}}]\n", "max_numbers must be a whole"),
    ("ledger: l.db\nledger: m.db\n", "line 2: 'ledger' is given twice"),
    ("ledger: [\n", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_each_mistake_is_one_sentence_with_its_place_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value) and str(caught.value).startswith("service.yaml") and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the service file .* does not exist; check the path"):
        Config.load(tmp_path / "none.yaml")
