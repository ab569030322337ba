"""Kits: certificates and startup kits of all parties, as NVFlare provisions them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nvflare.lighter.constants import CtxKey, ParticipantType
from nvflare.lighter.impl.cert import CertBuilder
from nvflare.lighter.provision import prepare_builders, prepare_project
from nvflare.lighter.provisioner import Provisioner

from pets.errors import UserError
from pets.federated.deployment.authority import Authority
from pets.federated.deployment.nvflare_engine.quiet import quiet

_ROOT, _ROOT_KEY = CtxKey.ROOT_CERT, CtxKey.ROOT_PRI_KEY


class Certificates(CertBuilder):  # type: ignore[misc]
    """NVFlare's certificates, which hold from a day before they are made: a slow clock is then named, and not shut out.

    Sites' hold for a year, the authority's for ten, so that the same authority signs renewed ones. A server keeps its
    key (PEM): it signed the tokens with which sites that are in touch go on.
    """

    EARLY = dt.timedelta(days=1)

    def __init__(self, root_valid_days: int, server_key: str = "") -> None:
        super().__init__(root_valid_days)
        self.server_key = load_pem_private_key(server_key.encode("ascii"), None) if server_key else None

    def get_pri_key_cert(self, participant: Any) -> tuple[Any, Any]:
        """A key and its certificate, for a party; a fresh key where it has none to keep."""
        key, certificate = super().get_pri_key_cert(participant)
        if participant.type != ParticipantType.SERVER or self.server_key is None:
            return key, certificate
        again = self._generate_cert(
            participant.subject,
            participant.org,
            self.issuer,
            self.pri_key,
            self.server_key.public_key(),
            server=participant,
            not_valid_after=certificate.not_valid_after_utc,
        )
        return self.server_key, again

    def _generate_cert(self, *given: Any, not_valid_before: dt.datetime | None = None, **more: Any) -> Any:
        begins = (not_valid_before or dt.datetime.now(dt.UTC)) - self.EARLY
        return super()._generate_cert(*given, not_valid_before=begins, **more)


def provision(
    name: str,
    host: str,
    port: int,
    sites: Sequence[str],
    user: str,
    work: Path,
    authority: Authority | None = None,
    server_key: str = "",
) -> tuple[Path, Authority]:
    """Fresh certificates and startup kits: the folder with one folder for each party, and what signed them.

    Args:
        authority, server_key: what signs them, and the server's key (PEM), where there are some.
    """
    state = work / name / "state" / "cert.json"
    if authority is not None:
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({_ROOT: authority.certificate, _ROOT_KEY: authority.key}), "ascii")
    org = {"org": "pets"}
    parties = [
        {"name": host, "type": "server", "fed_learn_port": port, "admin_port": port, "host_names": [host], **org},
        *({"name": site, "type": "client", **org} for site in sites),
        {"name": user, "type": "admin", "role": "lead", **org},
    ]
    lighter, own = "nvflare.lighter.impl.", f"{__name__}.{Certificates.__name__}"
    builders = [
        (f"{lighter}workspace.WorkspaceBuilder", {"template_file": ["master_template.yml"]}),
        (f"{lighter}static_file.StaticFileBuilder", {"config_folder": "config"}),
        (own, {"root_valid_days": 3650, "server_key": server_key}),
        (f"{lighter}signature.SignatureBuilder", {}),
    ]
    form = {
        "api_version": 3,
        "name": name,
        "participants": parties,
        "builders": [{"path": path, "args": args} for path, args in builders],
    }
    with quiet():
        made = Provisioner(str(work), prepare_builders(form)).provision(prepare_project(form))
    if made.get("build_error"):
        raise UserError("NVFlare could not make the startup kits; check the host's name and the sites' names")
    kept = json.loads(state.read_bytes())
    return work / name / "prod_00", Authority(kept[_ROOT], kept[_ROOT_KEY])
