"""The noise ledger of computations on columns: what a ciphertext bears is known before anything is computed.

Noise is that of :meth:`pets.he.presets.Preset.spare_bits`: each coefficient of a fresh ciphertext's noise is
sub-Gaussian with a known proxy. A polynomial with weights of Σ|w| = W makes it W times as great, whatever the
dependence between coefficients; independent ciphertexts add in squares. So a dot product's noise is √Σ W_j² times a
fresh one's.
"""

from __future__ import annotations

import math

from pets.he.presets import MARGIN_BITS, Preset


def most_weight(preset: Preset) -> float:
    """The greatest √Σ W_j² that leaves the margin."""
    return float(2 ** (preset.spare_bits(1) - MARGIN_BITS))


def product_chunks(preset: Preset) -> int:
    """How many products of two ciphertexts may be added up.

    Fan and Vercauteren 2012, Lemma 2: with fresh noise E, a product's is below 2·N·t·E·(N·‖s‖ + 1) +
    2·t²·N²·(‖s‖ + 1)², ‖s‖ = 1 for a ternary secret; decryption is right below Q/2t. (What SEAL does is far better: the
    second term comes from a rounding that it avoids. The tests measure it.)
    """
    n, t, q = preset.degree, preset.plain[0], math.prod(preset.chain.kept)
    fresh = 2 ** (math.log2(q) - math.log2(t) - preset.spare_bits(1)) / 2
    worst = 2 * n * t * fresh * (n + 1) + 8 * t**2 * n**2
    return max(1, math.floor(2 ** (math.log2(q) - 1 - math.log2(t) - math.log2(worst) - MARGIN_BITS)))
