"""Policy file: a site's rules as its owner edits them, read anew whenever the file has changed.

A site answers by the rules that stand in the file at that moment. The roster shows the digest of the rules that it was
made with, so a site whose file has changed answers that roster no more, and a file that cannot be read allows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pets.errors import PolicyError
from pets.federated.site.policy import SitePolicy
from pets.schema.schema import Schema


class PolicyFile:
    """A policy in a file.

    Args:
        path: a YAML file.
        schema: the site's, of which its rules are.

    Raises:
        PolicyError: where the file is no policy of this schema.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path, self._schema = path, schema
        self._seen = self._bytes()
        self.policy = self._read()

    def latest(self, notice: Callable[[str], None]) -> SitePolicy | None:
        """The rules, where the file has changed since they were last asked for; ``notice`` is told what follows."""
        data = self._bytes()
        if data == self._seen:
            return None
        before, self.policy = self.policy, SitePolicy()  # until the file was read, and where it cannot be
        self._seen = data
        try:
            self.policy = self._read()
        except PolicyError as error:
            notice(f"The policy has changed and cannot be used, so that nothing is answered: {error}")
            return self.policy
        except Exception as error:  # the old rules must not go on, whatever is wrong with the file
            what = type(error).__name__
            notice(f"The policy has changed and cannot be read ({what}), so that nothing is answered; mend the file")
            return self.policy
        if self.policy.digest != before.digest:
            notice(
                "The policy has changed, and holds from now on. A roster that was made with another is not answered: "
                "send the coordinator the site's new entry (pets site status FOLDER --entry FILE), or undo the change."
            )
        return self.policy

    def _bytes(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None

    def _read(self) -> SitePolicy:
        found = SitePolicy.load(self._path)
        found.check(self._schema)
        return found
