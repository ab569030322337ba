"""One promise, checked as a stranger would: python stranger.py release.json ledger.pub

Written from docs/proofs (certificate, rows, gaussian, composition) and one release alone, for a count of rows in groups
under Gaussian noise. It knows nothing of pets and of its checker, and prints the ε that it finds.
"""

import base64
import hashlib
import json
import math
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def main() -> None:
    file = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    key = bytes.fromhex(Path(sys.argv[2]).read_text("ascii").strip())

    # certificate: DSSE, then the digest of the canonical form
    envelope = file.pop("certificate")
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    statement = json.loads(payload)
    file.pop("digest", None)
    form = json.dumps(file, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(form).hexdigest()
    promise = statement["predicate"]["dp"]

    # rows: K rows of a person, one count each; at worst all K are in one group, so L2² = K²
    query = file["query"]
    assert [one["agg"] for _, one in query["agg"]] == ["count"] and file["mechanism"] == "gaussian"
    assert not {"groups", "rows_per_group"} & {*query}
    unit = file["schema"]["tables"][query["table"]]["unit"]
    rows = query.get("rows", unit["rows"])

    # gaussian: ρ = L2² ÷ 2σ²; composition: the least ε over all orders α > 1, at the δ that is stated
    (scale,) = map(float, file["scales"])
    rho, delta = rows**2 / (2 * scale**2), float(promise["delta"])
    orders = (1 + 10 ** (step / 2000) for step in range(-6000, 8000))
    found = min(a * rho + math.log(1 / (a * delta)) / (a - 1) + math.log1p(-1 / a) for a in orders)
    stated = float(promise["epsilon"])
    assert found <= stated * (1 + 1e-6), f"it loses ε = {found} and states {stated}"
    assert found >= stated * 0.99, f"it states ε = {stated} and loses {found}"
    assert f"ε = {stated:.6g} and δ = {delta:g}" in statement["predicate"]["guarantee"] == file["guarantee"]
    print(f"ε = {found:.4f} at δ = {delta:g}: at most {rows} rows of a person count")


if __name__ == "__main__":
    main()
