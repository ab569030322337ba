"""SACRO-Viewer, in an environment of its own which has no pets, opens an export of ours as a checker would.

    python tests/acro_judge/viewer.py OUT.json FOLDER

where ``viewer.txt`` is installed. It loads the folder through the viewer's own pages, approves what passed, and writes
what the viewer showed and what it let out. No server is started and no network is used.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

NAMES = ("checksum_valid", "cell_index")


def opened(client: Any, folder: str) -> Any:
    """The page of a folder's outputs."""
    found = client.get("/load/", {"dirpath": folder})
    return client.get(found["Location"])


def shown(client: Any, page: Any) -> dict[str, Any]:
    """Of each output its status, and of each of its files what the viewer knows of it."""
    out = {}
    for uid, one in page.context["outputs"].items():
        files = {
            file["name"]: {name: file.get(name) for name in NAMES}
            | {"bytes": len(b"".join(client.get(file["url"]).streaming_content))}
            for file in one["files"]
        }
        out[uid] = {"status": one["status"], "files": files, "named": uid in page.content.decode()}
    return out


def left(client: Any, page: Any, approved: list[str]) -> list[str]:
    """The names of what a review lets out that approves these outputs."""
    votes = {uid: {"state": uid in approved, "comment": "looked at"} for uid in page.context["outputs"]}
    client.post(page.context["create_url"], {"comment": "a review", "review": json.dumps(votes)})
    sent = b"".join(client.post("/review/current/approved-outputs/").streaming_content)
    return sorted(zipfile.ZipFile(io.BytesIO(sent)).namelist())


def main(out: str, folder: str) -> None:
    """Look, and write what was seen."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "sacro.settings"
    import django  # type: ignore[import-not-found]
    from django.test import Client  # type: ignore[import-not-found]
    from django.test.utils import setup_test_environment  # type: ignore[import-not-found]

    django.setup()
    setup_test_environment()
    client = Client()
    page = opened(client, folder)
    found = {"code": page.status_code, "shown": shown(client, page)}
    passed = [uid for uid, one in found["shown"].items() if one["status"] == "pass"]
    Path(out).write_text(json.dumps(found | {"left": left(client, page, passed)}), "utf-8")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve()))
