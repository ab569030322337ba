"""SEAL through TenSEAL: the only file of pets that imports it.

What goes in and comes out are numpy arrays: coefficients of plaintexts modulo t, and residues of ciphertexts and keys
modulo the chain's primes. SEAL's own bytes are built and read here alone, within this process, from arrays that were
checked; nothing from outside is ever handed to SEAL's or TenSEAL's loaders, which return wrong numbers, foreign memory
or a crash for forged input.

Scheme: BFV (Fan and Vercauteren 2012) as implemented by Microsoft SEAL. A vector lies in the *coefficients* of a
plaintext polynomial: adding ciphertexts adds coefficients, without the transforms that slots need.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import InternalError, missing_extra
from pets.he.presets import Chain

U64 = npt.NDArray[np.uint64]

_HEADER = struct.Struct("<HBBBBHQ")  # SEALHeader: magic, header size, version (2), compression, reserved, size
_MAGIC, _PLAIN, _ZLIB, _ZSTD = 0xA15E, 0, 1, 2
_CIPHER = struct.Struct("<32sBQQQdQ")  # parms_id, NTT form, polynomials, N, primes, scale, correction factor
_POLY = struct.Struct("<32sQd")  # parms_id, coefficients, scale


@lru_cache(maxsize=1)
def _sealapi() -> Any:
    try:
        from tenseal import sealapi
    except ImportError:
        raise missing_extra("homomorphic encryption", "he") from None
    return sealapi


class _Pipe:
    """SEAL saves to and loads from paths only: a file in memory (Linux), or a private temporary one."""

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self._lock, self._owner = threading.Lock(), os.getpid()
        self._in_memory = hasattr(os, "memfd_create")
        if self._in_memory:
            self._fd = os.memfd_create("pets")
            self._path = f"/proc/self/fd/{self._fd}"
        else:  # pragma: no cover - other systems
            self._fd, self._path = tempfile.mkstemp(prefix="pets-")

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """One thread at a time, and one process: a forked child that wrote to its parent's file would mix numbers."""
        if self._owner != os.getpid():
            os.close(self._fd)
            self._open()
        with self._lock:
            os.lseek(self._fd, 0, os.SEEK_SET)
            yield
            if not self._in_memory:  # pragma: no cover - other systems
                os.ftruncate(self._fd, 0)

    def dump(self, thing: Any) -> bytes:
        """What SEAL saves, without its header and uncompressed."""
        with self._held():
            os.ftruncate(self._fd, 0)
            thing.save(self._path)
            found = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        magic, size, _, _, mode, _, length = _HEADER.unpack_from(found)
        if magic != _MAGIC or size != _HEADER.size or length != len(found):
            raise InternalError("this version of SEAL writes another form than pets reads")
        self.version = found[3:5]
        return _inflated(mode, found[size:])

    def load(self, thing: Any, context: Any, parts: Sequence[bytes | memoryview]) -> Any:
        """The thing, filled from parts of its uncompressed form."""
        length = _HEADER.size + sum(len(part) for part in parts)
        with self._held():
            # not cut first: fresh pages would cost more than writing does, and SEAL reads as much as the header says
            if os.writev(self._fd, [self.header(length), *parts]) != length:
                raise InternalError("a file in memory could not be written")
            thing.load(context, self._path)
        return thing

    def clear(self) -> None:
        """Forget what was written: after a secret."""
        with self._held():
            os.ftruncate(self._fd, 0)

    def header(self, length: int) -> bytes:
        """SEAL's header of something uncompressed."""
        return _HEADER.pack(_MAGIC, _HEADER.size, *self.version, _PLAIN, 0, length)

    version: bytes = b"\x04\x03"

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self._fd)  # bound early: at the end of the process the module's names are gone


def _inflated(mode: int, body: bytes) -> bytes:
    if mode == _PLAIN:
        return body
    if mode == _ZLIB:  # pragma: no cover - TenSEAL's SEAL is built with zstd
        return zlib.decompress(body)
    if mode != _ZSTD:
        raise InternalError("this version of SEAL compresses in a way that pets does not read")
    import pyarrow

    return bytes(pyarrow.CompressedInputStream(pyarrow.py_buffer(body), "zstd").read())


class Scheme:
    """BFV on one chain with one plain modulus."""

    def __init__(self, chain: Chain, plain: int) -> None:
        s = _sealapi()
        self.chain, self.plain = chain, plain
        parameters = s.EncryptionParameters(s.SCHEME_TYPE.BFV)
        parameters.set_poly_modulus_degree(chain.degree)
        parameters.set_coeff_modulus([s.Modulus(q) for q in chain.primes])
        parameters.set_plain_modulus(s.Modulus(plain))
        self._context = s.SEALContext(parameters, True, s.SEC_LEVEL_TYPE.TC128)
        if not self._context.parameters_set():
            raise InternalError(f"SEAL refuses chain {chain.name!r}: {self._context.parameters_error_name()}")
        self._pipe = _Pipe()
        self._key_id = _words(self._context.key_parms_id())
        self._data_id = _words(self._context.first_parms_id())
        self._evaluator = s.Evaluator(self._context)
        self._s = s

    # keys -------------------------------------------------------------------------------------------------------

    def generate(self) -> tuple[U64, U64]:
        """A fresh key pair from SEAL's generator, seeded by the operating system.

        Returns:
            the secret key, ``(primes, N)``, and the public key, ``(2, primes, N)``, as SEAL keeps them (transformed).
        """
        maker = self._s.KeyGenerator(self._context)
        public = self._s.PublicKey()
        maker.create_public_key(public)
        secret = self._pipe.dump(maker.secret_key())
        self._pipe.clear()
        numbers = np.frombuffer(secret[_POLY.size + _HEADER.size + 8 :], dtype="<u8")
        shape = (len(self.chain.primes), self.chain.degree)
        return numbers.reshape(shape).astype(np.uint64), self._residues(public, 2, self.chain.primes)

    def encryptor(self, public: U64) -> Callable[[U64], U64]:
        """A function from coefficients modulo t (at most N of them) to a fresh ciphertext, ``(2, kept primes, N)``."""
        key = self._pipe.load(self._s.PublicKey(), self._context, self._public(public))
        engine = self._s.Encryptor(self._context, key)

        def encrypt(coefficients: U64) -> U64:
            cipher = self._s.Ciphertext()
            engine.encrypt(self._plaintext(coefficients), cipher)
            return self._residues(cipher, 2, self.chain.kept)

        return encrypt

    def _public(self, public: U64) -> list[bytes | memoryview]:
        return self._cipher(public, self._key_id, self.chain.primes, transformed=True)

    def decryptor(self, secret: U64) -> Callable[[U64], U64]:
        """A function from a ciphertext (of 2 or 3 polynomials) to its N coefficients modulo t.

        It answers for whatever it is given: call it only on what was authenticated and counted in a noise ledger.
        """
        size = secret.size
        parts = [_POLY.pack(self._key_id, size, 1.0), *self._array(secret)]
        key = self._pipe.load(self._s.SecretKey(), self._context, parts)
        self._pipe.clear()
        engine = self._s.Decryptor(self._context, key)

        def decrypt(residues: U64) -> U64:
            found = self._s.Plaintext()
            engine.decrypt(self._ciphertext(residues), found)
            body = self._pipe.dump(found)
            out = np.zeros(self.chain.degree, dtype=np.uint64)
            numbers = np.frombuffer(body[_POLY.size + _HEADER.size + 8 :], dtype="<u8")
            out[: len(numbers)] = numbers
            return out

        return decrypt

    # arithmetic on ciphertexts ------------------------------------------------------------------------------------

    def transformed(self, residues: U64) -> U64:
        """A ciphertext in SEAL's transformed (NTT) form, in which products with public polynomials are cheap."""
        cipher = self._ciphertext(residues)
        self._evaluator.transform_to_ntt_inplace(cipher)
        return self._residues(cipher, len(residues), self.chain.kept)

    def sum_of_times(self, terms: Iterable[tuple[U64, U64]], more: U64) -> U64:
        """Σ transformed ciphertext · public polynomial + a public one, modulo X^N + 1; not transformed.

        SEAL refuses to multiply by zero, because the result would show that it is zero: leave such terms out.
        """
        total = None
        for residues, coefficients in terms:
            one, plain = self._ciphertext(residues, transformed=True), self._plaintext(coefficients)
            self._evaluator.transform_to_ntt_inplace(plain, self._context.first_parms_id())
            self._evaluator.multiply_plain_inplace(one, plain)
            if total is None:
                total = one
            else:
                self._evaluator.add_inplace(total, one)
        if total is None:
            raise InternalError("a sum of products has at least one")
        self._evaluator.transform_from_ntt_inplace(total)
        return self._covered(total, 2, more)

    def sum_of_products(self, pairs: Iterable[tuple[U64, U64]], more: U64) -> U64:
        """Σ of products of two transformed ciphertexts + a public polynomial: three polynomials, not transformed.

        There is no relinearisation, so no key of that kind exists.
        """
        total = None
        for left, right in pairs:
            one, other = (self._ciphertext(residues, transformed=True) for residues in (left, right))
            self._evaluator.transform_from_ntt_inplace(one)
            self._evaluator.transform_from_ntt_inplace(other)
            self._evaluator.multiply_inplace(one, other)
            if total is None:
                total = one
            else:
                self._evaluator.add_inplace(total, one)
        if total is None:
            raise InternalError("a sum of products has at least one")
        return self._covered(total, 3, more)

    def covered(self, residues: U64, more: U64) -> U64:
        """A transformed ciphertext plus a public polynomial; not transformed."""
        cipher = self._ciphertext(residues, transformed=True)
        self._evaluator.transform_from_ntt_inplace(cipher)
        return self._covered(cipher, len(residues), more)

    def _covered(self, cipher: Any, polys: int, more: U64) -> U64:
        if more.any():
            self._evaluator.add_plain_inplace(cipher, self._plaintext(more))
        return self._residues(cipher, polys, self.chain.kept)

    # SEAL's forms -------------------------------------------------------------------------------------------------

    def _plaintext(self, coefficients: U64) -> Any:
        if coefficients.dtype != np.uint64 or coefficients.ndim != 1 or not 0 < len(coefficients) <= self.chain.degree:
            raise InternalError("a plaintext is one row of at most N unsigned 64-bit numbers")
        if int(coefficients.max()) >= self.plain:
            raise InternalError("a coefficient is not below the plain modulus")
        parts = [_POLY.pack(bytes(32), len(coefficients), 1.0), *self._array(coefficients)]
        return self._pipe.load(self._s.Plaintext(), self._context, parts)

    def _ciphertext(self, residues: U64, *, transformed: bool = False) -> Any:
        parts = self._cipher(residues, self._data_id, self.chain.kept, transformed=transformed)
        return self._pipe.load(self._s.Ciphertext(), self._context, parts)

    def _cipher(
        self, residues: U64, parms: bytes, primes: Sequence[int], *, transformed: bool
    ) -> list[bytes | memoryview]:
        polys = len(residues)
        if residues.dtype != np.uint64 or residues.shape != (polys, len(primes), self.chain.degree) or polys < 2:
            raise InternalError("residues do not fit the chain")
        if any(int(residues[:, place].max()) >= q for place, q in enumerate(primes)):
            raise InternalError("a residue is not below its prime")
        head = _CIPHER.pack(parms, transformed, polys, self.chain.degree, len(primes), 1.0, 1)
        return [head, *self._array(residues)]

    def _array(self, numbers: U64) -> list[bytes | memoryview]:
        data = np.ascontiguousarray(numbers, dtype="<u8")
        return [self._pipe.header(_HEADER.size + 8 + data.nbytes), struct.pack("<Q", data.size), data.data.cast("B")]

    def _residues(self, thing: Any, polys: int, primes: Sequence[int]) -> U64:
        body = self._pipe.dump(thing)
        shape = (polys, len(primes), self.chain.degree)
        head = _CIPHER.size + _HEADER.size + 8
        if len(body) != head + 8 * polys * len(primes) * self.chain.degree:
            raise InternalError("SEAL gave a ciphertext of another form than was asked for")
        return np.frombuffer(body, dtype="<u8", offset=head).reshape(shape).astype(np.uint64, copy=False)


def _words(parms: Sequence[int]) -> bytes:
    return struct.pack("<4Q", *parms)


@lru_cache(maxsize=32)
def scheme(chain: Chain, plain: int) -> Scheme:
    """The scheme of a chain and a plain modulus, made once."""
    return Scheme(chain, plain)
