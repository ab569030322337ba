"""Identity: who asks, for which project, in which roles, about which datasets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pets.common.arguments import plain_fields
from pets.common.literals import name
from pets.errors import ForbiddenError, UserError, did_you_mean, shown
from pets.ledger.grants import ROLES

DEFAULT_PROJECT = "default"


@plain_fields(UserError, "write Identity('amina', project='stroke-2026')")
@dataclass(frozen=True)
class Identity:
    """Who asks, as somebody trusted says: a token of the service, a provider of logins, or the host's own program.

    Attributes:
        subject: the analyst's name in the ledger.
        project: for which project; it sees no other's requests.
        roles: of :data:`pets.ledger.grants.ROLES`.
        datasets: the names of those that may be seen at all; ``None``: every one that is served.
        projects: others that the same person may choose by the header ``Pets-Project``.

    Raises:
        UserError: for a name that is no printable text of 1 to 128 characters, or a role that does not exist.
    """

    subject: str
    project: str = DEFAULT_PROJECT
    roles: frozenset[str] = frozenset({"analyst"})
    datasets: frozenset[str] | None = None
    projects: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        name("the subject", self.subject, UserError)
        name("the project", self.project, UserError)
        object.__setattr__(self, "roles", names("roles", self.roles))
        object.__setattr__(self, "projects", names("projects", self.projects) | {self.project})
        if self.datasets is not None:
            object.__setattr__(self, "datasets", names("datasets", self.datasets))
        for role in self.roles:
            if role not in ROLES:
                raise UserError(f"there is no role {shown(role)}{did_you_mean(role, ROLES)}")

    def within(self, project: str | None) -> Identity:
        """The same person in another of their projects (``None``: as they are).

        Raises:
            ForbiddenError: where they have no such project; it does not tell whether anybody has.
        """
        if project is None or project == self.project:
            return self
        if project not in self.projects:
            raise ForbiddenError(
                f"your login is for {_listed(self.projects)}, and not for {shown(project)}; leave the project "
                "(the header Pets-Project) out, or ask the custodian for that one"
            )
        return replace(self, project=project)

    def sees(self, dataset: str) -> bool:
        """Whether a dataset is there for them at all."""
        return self.datasets is None or dataset in self.datasets

    def require(self, *roles: str) -> None:
        """Raises :class:`ForbiddenError` where none of these roles is theirs."""
        if not self.roles & set(roles):
            raise ForbiddenError(
                f"this is for whoever has the role {' or '.join(roles)}, and your login has "
                f"{', '.join(sorted(self.roles)) or 'none'}; ask the custodian for it"
            )


def names(what: str, values: Iterable[str] | str) -> frozenset[str]:
    """Several names; raises :class:`UserError` where one is no printable text of 1 to 128 characters."""
    several = [values] if isinstance(values, str) else list(values) if isinstance(values, Iterable) else None
    if several is None:
        raise UserError(f"{what} are a list of names, not {shown(values)}")
    return frozenset(name(f"each of the {what}", one, UserError) for one in several)


def _listed(projects: frozenset[str]) -> str:
    named = sorted(projects)
    return f"project{'s' if len(named) > 1 else ''} {', '.join(named[:5])}{' and others' if len(named) > 5 else ''}"
