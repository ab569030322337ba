"""Presets: named BFV parameter sets, what totals they hold, and how many parties may add.

Security: every chain keeps log2 of the product of its primes at or below the bound for 128-bit classical security with
ternary secrets in the *Homomorphic Encryption Standard* (Albrecht et al., 2018, Table 1): 109 bits at degree 4,096 and
218 at 8,192. SEAL checks the same table again when it builds a context.

A plain modulus t is a prime with t = 1 mod 2N; several are joined by the Chinese remainder theorem. The last prime of a
chain is used up while encrypting, so that a ciphertext holds two polynomials modulo the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from pets.errors import InternalError, QueryError, did_you_mean, shown

SECURITY_BITS = {4096: 109, 8192: 218}
"""HE standard, Table 1, 128-bit classical security, ternary secret: the most bits of all primes of a chain together."""

FAILURE_BITS = 64
MARGIN_BITS = 2
MAX_PARTIES = 4096


@dataclass(frozen=True)
class Chain:
    """The primes of the ciphertext ring; keys belong to a chain.

    Attributes:
        degree: N, coefficients of a polynomial, and so values of a ciphertext.
        primes: q_1 … q_k; the last one is used up by encryption.
    """

    name: str
    degree: int
    primes: tuple[int, ...]

    def __post_init__(self) -> None:
        bits = math.prod(self.primes).bit_length()
        if bits > SECURITY_BITS.get(self.degree, 0):
            raise InternalError(f"chain {self.name!r} has {bits} bits, too many for 128-bit security at its degree")
        if any(q % (2 * self.degree) != 1 for q in self.primes) or len(set(self.primes)) < len(self.primes):
            raise InternalError(f"the primes of chain {self.name!r} do not fit its degree")

    @property
    def kept(self) -> tuple[int, ...]:
        """The primes of a ciphertext."""
        return self.primes[:-1]


@dataclass(frozen=True)
class Preset:
    """A chain with plain moduli: how large totals may be, of how many parties, at how many bytes a value.

    Attributes:
        plain: the prime plain moduli; a value is stored once modulo each.
    """

    name: str
    chain: Chain
    plain: tuple[int, ...]

    def __post_init__(self) -> None:
        for t in self.plain:
            if t in self.chain.primes or t % (2 * self.chain.degree) != 1 or t.bit_length() > 60:
                raise InternalError(f"a plain modulus of preset {self.name!r} does not fit its chain")

    @property
    def degree(self) -> int:
        """Values of one ciphertext."""
        return self.chain.degree

    @cached_property
    def reach(self) -> int:
        """Totals from −reach to reach are exact."""
        return (math.prod(self.plain) - 1) // 2

    @property
    def bytes_a_value(self) -> int:
        """Bytes of payload for each value of a full ciphertext."""
        return len(self.plain) * 2 * sum(-(-q.bit_length() // 8) for q in self.chain.kept)

    @cached_property
    def most_parties(self) -> int:
        """Fresh ciphertexts that may be added up; beyond, the noise ledger refuses (a power of 2)."""
        most = 1
        while most < MAX_PARTIES and self.spare_bits(2 * most) >= MARGIN_BITS:
            most *= 2
        return most

    def spare_bits(self, parties: int) -> float:
        """The noise ledger: bits between the noise of a sum of fresh public-key ciphertexts and what decryption bears.

        SEAL encrypts zero modulo all primes and divides by the last, P. What is left is, for each coefficient, a
        rounding error of each polynomial, e_0 + e_1·s with e uniform on [−½, ½] and s ternary (1 + N terms of
        variance at most 1/12), and the encryption noise divided by P (2N + 1 products of discrete-Gaussian noise of
        standard deviation 3.2 and ternary numbers: at most ±6σ·√(2N+1)/P). A sum of m independent bounded terms of
        variance proxy v passes B with a chance of at most 2·exp(−B²/2mv) (Hoeffding); B is set so that no coefficient
        of a million ciphertexts passes it with a chance above 2^−64. Decryption is right while t·(2·noise + 1) < Q;
        encoding a value adds a rounding of at most ½ for each ciphertext.
        """
        n = self.degree
        variance = (1 + n) / 12 + (3.2**2 * (2 * n + 1)) / self.chain.primes[-1] ** 2
        chance = math.log(2) * (FAILURE_BITS + 1 + 20 + math.log2(n))
        noise = math.sqrt(2 * parties * variance * chance) + parties
        return math.log2(math.prod(self.chain.kept)) - math.log2(max(self.plain)) - math.log2(2 * noise + 1)


# Computations on columns: what a ciphertext bears is known before anything is computed. Each coefficient of a fresh
# ciphertext's noise is sub-Gaussian with a known proxy (Preset.spare_bits). A polynomial with weights of Σ|w| = W makes
# it W times as great, whatever the dependence between coefficients; independent ciphertexts add in squares. So a dot
# product's noise is √Σ W_j² times a fresh one's.


def max_weight(preset: Preset) -> float:
    """The greatest √Σ W_j² that leaves the margin."""
    return float(2 ** (preset.spare_bits(1) - MARGIN_BITS))


def max_products(preset: Preset) -> int:
    """How many products of two ciphertexts may be added up.

    Fan and Vercauteren 2012, Lemma 2: with fresh noise E, a product's is below 2·N·t·E·(N·‖s‖ + 1) +
    2·t²·N²·(‖s‖ + 1)², ‖s‖ = 1 for a ternary secret; decryption is right below Q/2t. (What SEAL does is far better: the
    second term comes from a rounding that it avoids. The tests measure it.)
    """
    n, t, q = preset.degree, preset.plain[0], math.prod(preset.chain.kept)
    fresh = 2 ** (math.log2(q) - math.log2(t) - preset.spare_bits(1)) / 2
    worst = 2 * n * t * fresh * (n + 1) + 8 * t**2 * n**2
    return max(1, math.floor(2 ** (math.log2(q) - 1 - math.log2(t) - math.log2(worst) - MARGIN_BITS)))


N12 = 4096
WIDE_KEPT = Chain("n12-48", N12, (281474976694273, 72057594037641217))
ONE_KEPT = Chain("n12-56", N12, (72057594037641217, 1125899906826241))
TWO_KEPT = Chain("n12-40-40", N12, (1099511390209, 1099511480321, 33538049))
COLUMNS = Chain("n12-40-40-columns", N12, TWO_KEPT.primes)  # with keys of its own: see SUM_CHAINS
ROWS = Chain("n13", 8192, (18014398507892737, 18014398508138497, 18014398508400641, 4503599627124737))

CHAINS = {chain.name: chain for chain in (WIDE_KEPT, ONE_KEPT, TWO_KEPT, COLUMNS, ROWS)}
SUM_CHAINS = ("n12-48", "n12-56", "n12-40-40")
"""Their keys open totals, once for each round; those of other chains read answers of tables, as often as wanted. So no
chain serves both: else a party's envelope could be handed in as a table's answer."""

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("count34", WIDE_KEPT, (17179672577,)),
        Preset("sum42", ONE_KEPT, (4398046486529,)),
        Preset("sum60", TWO_KEPT, (1152921504606830593,)),
        Preset("wide66", WIDE_KEPT, (17179672577, 17179754497)),
        Preset("wide89", WIDE_KEPT, (1073651713, 1073668097, 1073692673)),
        Preset("dot50", COLUMNS, (1125899906826241,)),
        Preset("row42", ROWS, (4398046150657,)),
    )
}
SUM_PRESETS = ("count34", "sum42", "sum60", "wide66", "wide89")
"""For adding up, from few bytes a value to many."""


def preset(name: object) -> Preset:
    """The preset of a name; raises :class:`QueryError` that lists what exists."""
    if not isinstance(name, str) or name not in PRESETS:
        raise QueryError(f"there is no parameter set {shown(name)}{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def pick(most: int, parties: int) -> Preset:
    """The smallest preset whose totals reach ``most`` and that this many parties may add.

    Args:
        most: the greatest absolute total that is possible.
        parties: ciphertexts that are added up.

    Raises:
        QueryError: if none does.

    >>> pick(10**9, 10).name, pick(2**58, 5).name, pick(2**65, 64).name, pick(2**70, 100).name
    ('count34', 'sum60', 'wide66', 'wide89')
    """
    fitting = [PRESETS[name] for name in SUM_PRESETS if PRESETS[name].reach >= most]
    for found in fitting:
        if parties <= found.most_parties:
            return found
    if not fitting:
        raise QueryError(
            f"a total could pass 2^{most.bit_length() - 1}, more than any parameter set holds; use a tighter clip, a "
            "coarser step, or state a smaller 'people' in the schema's table"
        )
    room = max(found.most_parties for found in fitting)
    raise QueryError(f"{parties:,} parties are too many to add up at this range; at most {room:,} are possible")
