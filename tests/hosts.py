"""Which other hosts a page, a picture or a notebook names: the scan, and a guard for processes that run Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# identifiers that are written as addresses and never fetched: XML's namespaces, a specification's own name
NAMES = re.compile(
    r"https?://www\.w3\.org/(?:2000/svg|1999/xlink|1999/xhtml|2000/xmlns/|1998/Math/MathML|XML/1998/namespace)\b"
    r"|https://vega\.github\.io/schema/vega(?:-lite)?/v[\d.]+\.json"
)
ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]*:|(?<=[\"'(=\s,]))//[^\s\"'<>()\\/]+", re.IGNORECASE)


def named(text: str) -> list[str]:
    """The addresses in a text that could be loaded from another host."""
    return [found for found in ADDRESS.findall(NAMES.sub("", text)) if not found.startswith("data:")]


def outputs(notebook: Any) -> Iterator[tuple[str, str]]:
    """The kind and the text of everything that a notebook's cells show."""
    for cell in notebook["cells"]:
        for shown in cell.get("outputs", ()):
            if "text" in shown:
                yield "stream", "".join(shown["text"])
            for kind, content in shown.get("data", {}).items():
                yield kind, content if isinstance(content, str) else json.dumps(content)


GUARD = """
import os, sys

def _refuse(event, given):
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        return
    address = given[0] if event == "socket.getaddrinfo" else given[1]
    host = address[0] if isinstance(address, tuple) else "" if event != "socket.getaddrinfo" else address
    host = host.decode("utf-8", "replace") if isinstance(host, bytes) else host or ""
    if host in ("", "localhost", "::1", "0.0.0.0", "::") or host.startswith("127."):
        return
    with open(os.environ["PETS_TEST_HOSTS"], "a") as out:
        out.write(f"{event} {host}\\n")
    raise OSError(f"this process may not reach another host, and asked for {host}")

sys.addaudithook(_refuse)
"""
"""A ``sitecustomize`` that refuses every socket to another host and writes it down, in a process and its children."""
