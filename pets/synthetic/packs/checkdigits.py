"""Codes that can be proved wrong: check digits and forms of NHS numbers, SNOMED CT, ICD-10, OPCS-4 and ODS codes.

Sources: NHS Data Dictionary, *NHS NUMBER* (modulus 11; numbers from 999 000 0000 are for tests); SNOMED International,
*SNOMED CT Identifiers* (Verhoeff's dihedral check, partition identifier); HES Data Dictionary (forms of ICD-10 and
OPCS-4 as HES stores them, without a dot).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

TEST_BLOCK = 999_000_000
"""The first nine digits of the NHS numbers that are never given to a patient begin here."""

_TURN = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def _product(a: int, b: int) -> int:
    """Multiplication in the group of a pentagon's five turns and five reflections."""
    turned = (a + b) % 5 if a < 5 else (a - b) % 5
    return turned if (a < 5) == (b < 5) else 5 + turned


def verhoeff(digits: str) -> bool:
    """Whether the last digit checks the others by Verhoeff's scheme (1969).

    >>> verhoeff("1064911000000105"), verhoeff("1064901000000103")
    (True, False)
    """
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _TURN[value]
        check = _product(check, value)
    return check == 0


def snomed(code: str) -> bool:
    """Whether a text is a SNOMED CT concept identifier: 6 to 18 digits, a concept partition, a check digit.

    >>> snomed("22298006"), snomed("22298007")
    (True, False)
    """
    return bool(re.fullmatch(r"[1-9][0-9]{5,17}", code)) and code[-3:-1] in ("00", "10") and verhoeff(code)


def icd10(code: str) -> bool:
    """Whether a text has the form of an ICD-10 code as HES writes it: no dot, X after three characters.

    >>> icd10("I219"), icd10("I10X"), icd10("I21.9"), icd10("I10")
    (True, True, False, False)
    """
    return bool(re.fullmatch(r"[A-Z][0-9]{2}[0-9X][0-9A-Z]?[DA]?", code))


def opcs4(code: str) -> bool:
    """Whether a text has the form of an OPCS-4 code as HES writes it.

    >>> opcs4("W371"), opcs4("W37.1")
    (True, False)
    """
    return bool(re.fullmatch(r"[A-HJ-NP-Z][0-9]{3}", code))


def hrg(code: str) -> bool:
    """Whether a text has the form of a healthcare resource group.

    >>> hrg("HN22A"), hrg("HN2A")
    (True, False)
    """
    return bool(re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z]", code))


def ods(code: str) -> bool:
    """Whether a text has the form of an ODS code: a trust, a trust's site, or a practice.

    >>> ods("RZZ"), ods("RZZ01"), ods("V81999"), ods("rzz")
    (True, True, True, False)
    """
    return bool(re.fullmatch(r"R[A-Z0-9]{2}([A-Z0-9]{2})?|[A-HJ-NPVWY][0-9]{5}", code))


def lsoa(code: str) -> bool:
    """Whether a text has the form of an English lower layer super output area.

    >>> lsoa("E01990001"), lsoa("W01000001")
    (True, False)
    """
    return bool(re.fullmatch(r"E01[0-9]{6}", code))


def nhs_number(code: str) -> bool:
    """Whether a text is an NHS number: ten digits, of which the last checks the others modulo 11.

    >>> nhs_number("9990000018"), nhs_number("9990000019")
    (True, False)
    """
    if not re.fullmatch(r"[0-9]{10}", code):
        return False
    check = 11 - sum(int(digit) * weight for digit, weight in zip(code[:9], range(10, 1, -1), strict=True)) % 11
    return check % 11 == int(code[9]) and check != 10


FORMS: dict[str, Callable[[str], bool]] = {
    "snomed": snomed,
    "icd10": icd10,
    "opcs4": opcs4,
    "hrg": hrg,
    "ods": ods,
    "lsoa": lsoa,
    "nhs_number": nhs_number,
}


@lru_cache(maxsize=1)
def reserved_numbers() -> npt.NDArray[np.int64]:
    """Every valid NHS number of the block that is reserved for tests, in order.

    >>> len(reserved_numbers()), int(reserved_numbers()[0])
    (909091, 9990000018)
    """
    stems = np.arange(TEST_BLOCK, TEST_BLOCK + 1_000_000, dtype=np.int64)
    total = np.zeros(len(stems), dtype=np.int64)
    rest = stems.copy()
    for weight in range(2, 11):
        total += rest % 10 * weight
        rest //= 10
    check = (11 - total % 11) % 11
    numbers: npt.NDArray[np.int64] = (stems * 10 + check)[check != 10]
    numbers.flags.writeable = False
    return numbers
