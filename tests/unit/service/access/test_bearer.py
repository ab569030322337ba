from __future__ import annotations

from types import SimpleNamespace

import pytest

from pets.errors import UnauthenticatedError
from pets.service.access.bearer import MAX_TOKEN, Bearer
from pets.service.access.identity import Identity


class Known:
    def __init__(self, **tokens: str) -> None:
        self.tokens, self.asked = tokens, list[str]()

    def identify(self, token: str) -> Identity | None:
        self.asked.append(token)
        return Identity(self.tokens[token]) if token in self.tokens else None


def test_a_token_goes_to_whoever_made_it() -> None:
    own, provider = Known(pets_a="script"), Known(login="amina", pets_b="mallory")
    bearer = Bearer(own, provider)
    assert bearer.identify("Bearer pets_a").subject == "script" and provider.asked == []
    assert bearer.identify("bearer  login ").subject == "amina" and own.asked == ["pets_a"]
    # what looks like a token of the service is never the provider's to say
    with pytest.raises(UnauthenticatedError, match="not valid"):
        bearer.identify("Bearer pets_b")
    request = SimpleNamespace(headers={"authorization": "Bearer login"})
    assert bearer(request).subject == "amina"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "pets_a", "Bearer " + "a" * (MAX_TOKEN + 1)])
def test_no_token_is_told_how_to_send_one(header: str) -> None:
    known = Known(pets_a="script")
    with pytest.raises(UnauthenticatedError, match="Authorization: Bearer TOKEN"):
        Bearer(known).identify(header)
    assert known.asked == []


def test_every_token_that_is_not_valid_is_refused_in_the_same_words() -> None:
    said = set()
    for token in ("pets_never", "pets_revoked", "x.y.z"):
        with pytest.raises(UnauthenticatedError) as caught:
            Bearer(Known(), Known()).identify(f"Bearer {token}")
        said.add(str(caught.value))
    assert len(said) == 1
