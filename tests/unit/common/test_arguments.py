"""Arguments that do not fit are told in a sentence, before anything is done; what a function itself raises is not."""

from __future__ import annotations

from typing import Any

import pytest

from pets.common.arguments import plain_arguments
from pets.errors import QueryError


def test_what_does_not_fit_is_refused_before_the_function_begins() -> None:
    begun: list[int] = []

    @plain_arguments(QueryError)
    def area(width: int, *, height: int = 1) -> int:
        begun.append(width)
        return width * height

    function: Any = area
    for given, names in (((), {}), ((1, 2), {}), ((1,), {"depth": 3}), ((1,), {"width": 2})):
        with pytest.raises(QueryError, match="area"):
            function(*given, **names)
    assert begun == [] and function(2, height=3) == 6


def test_a_functions_own_type_error_is_not_taken_for_wrong_arguments() -> None:
    @plain_arguments(QueryError)
    def length(of: Any) -> int:
        return len(of)

    with pytest.raises(TypeError, match="len"):
        length(3)
