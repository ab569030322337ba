"""Evidence: what a ledger shows of NIST SP 800-226's questions about a guarantee, and of SATRE's items about outputs.

Each line says what is asked, what this dataset's ledger answers, and where it can be seen; what is the custodian's to
answer is said to be. Nothing here is a certificate of compliance.
"""

from __future__ import annotations

from pets.common.codec import Json
from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Published

OURS, EVIDENCED, YOURS = "answered", "evidenced", "the custodian's"


def sp800_226(public: Published, dataset: str) -> Json:
    """NIST SP 800-226 (March 2025), *Guidelines for Evaluating Differential Privacy Guarantees*, answered."""
    known = public.history.dataset(dataset)
    budget, units = known.now.budget, sorted(set(known.units.values()))
    unit = " or ".join(f"all rows of one {name!r}" if name else "one row (a person)" for name in units)
    cap = wording.epsilon(budget, budget.cap)
    said = [
        ("the privacy parameter", OURS, f"At most {cap} for all analysts together.", "certificate, budget"),
        (
            "the unit of privacy",
            OURS,
            f"Neighbours differ by {unit}, added or removed.",
            "certificate, dp.neighbouring",
        ),
        ("bounded or unbounded", OURS, "Unbounded: added or removed. The number of people is not public.", "guarantee"),
        (
            "composition",
            OURS,
            f"All releases together: {wording.epsilon(budget, known.cost(known.now.charged))} charged in this budget, "
            f"{wording.epsilon(budget, known.cost(known.lifetime))} over the dataset's life.",
            "public log",
        ),
        (
            "releases outside the guarantee",
            OURS,
            f"{wording.bare(known.unbounded)}." if known.unbounded else "None has left.",
            "certificate, other_releases",
        ),
        ("the mechanisms", OURS, "Discrete Gaussian and discrete Laplace noise on whole numbers.", "docs/proofs"),
        ("floating point", OURS, "No floating-point number meets an answer; the sampler is exact.", "docs/opendp.md"),
        ("randomness", OURS, "The operating system's, through OpenDP; no seed can be set.", "docs/opendp.md"),
        (
            "contribution bounds",
            OURS,
            "Enforced before anything is added up; each release states them.",
            "certificate, dp",
        ),
        ("timing and other side channels", EVIDENCED, "Not protected, and said so in each certificate.", "assumptions"),
        ("utility", EVIDENCED, "Each number has an interval that states its noise; quotes read no rows.", "release"),
        ("bias of small groups", EVIDENCED, "Cells too small for their noise are marked, not hidden.", "release"),
        (
            "the trust model",
            EVIDENCED,
            "Central: the custodian sees the rows. A federation's releases say so.",
            "guarantee",
        ),
        ("access to the data", YOURS, "Who can reach rows, keys and the computer that answers.", ""),
        ("collection of the data", YOURS, "What was collected, and whether people knew.", ""),
        ("δ against the number of people", EVIDENCED, "Warned of where δ is above 1 in the schema's people.", "quote"),
    ]
    return _form("NIST SP 800-226", public, dataset, said)


def satre(public: Published, dataset: str) -> Json:
    """SATRE v2 (Standard Architecture for Trusted Research Environments): what a ledger meets or is evidence for."""
    known = public.history.dataset(dataset)
    entries = f"{len(known.asked):,} requests, {len(known.releases):,} releases"
    said = [
        ("3.3.09 criteria of each output, machine-readable", OURS, f"A certificate each ({entries}).", "certificate"),
        ("3.3.08 semi-automated checks", OURS, "Policy and budget are checked before data is opened.", "public log"),
        ("3.3.07 outputs that cannot be checked by hand", OURS, "The bound holds for any output.", "docs/proofs"),
        ("3.3.06 statistical basis of the rules", OURS, "Written proofs, one a measure and mechanism.", "docs/proofs"),
        (
            "3.3.01 classes of outputs",
            EVIDENCED,
            "Protected, exact, synthetic and dummy are named apart.",
            "certificate",
        ),
        ("3.3.02 minimum outputs", EVIDENCED, "Each output has a price from one budget.", "public log"),
        (
            "3.3.03 intended outputs declared",
            EVIDENCED,
            "The log has what was asked before it was answered.",
            "public log",
        ),
        (
            "3.3.05 a checker for each output",
            EVIDENCED,
            "A program checks; who signs changes is in the log.",
            "public log",
        ),
        ("3.4.01 metadata", OURS, "The schema is public, and its digest is in each entry.", "schema"),
        ("3.4.02 a query interface", OURS, "Questions are asked without access to rows.", "docs/guide.md"),
        ("3.4.04 synthetic data", OURS, "Dummy and synthetic tables, marked and certified.", "manifest"),
        ("3.1.11 how input was modified", EVIDENCED, "The fate of every row is reported to the custodian.", "profile"),
        (
            "2.1.11 tools for reproducible analysis",
            EVIDENCED,
            "A question has one canonical form and digest.",
            "release",
        ),
        (
            "2.5.03 logs of security",
            EVIDENCED,
            "Chained, signed, exported, and witnessed where asked.",
            "docs/witnesses.md",
        ),
        ("2.7.06 tests are published", OURS, "The tests and the planted bugs are in the repository.", "AUDITS.md"),
        ("1.5.06 a log-on for each person", YOURS, "The account tells analysts apart by the name it is given.", ""),
        ("3.2.05 single sign-on", YOURS, "Where pets is served.", ""),
        ("5.3.01 partners of a federation", EVIDENCED, "A signed roster names sites, keys and assumptions.", "roster"),
        ("5.4.04 queries between them", EVIDENCED, "Each site's own policy and ledger decide.", "docs/federated.md"),
        ("5.6.01 outputs of a federation", EVIDENCED, "Each site certifies its own part.", "certificate, federation"),
    ]
    return _form("SATRE v2", public, dataset, said)


def _form(standard: str, public: Published, dataset: str, said: list[tuple[str, str, str, str]]) -> Json:
    names = ("item", "who", "answer", "where")
    lines = [dict(zip(names, one, strict=True)) for one in said]
    lines = [{name: text.replace("\u00a0", " ") for name, text in line.items()} for line in lines]
    story = public.history
    ledger = {"origin": story.origin, "entries": story.size, "as_of": story.at, "key_id": public.key.id}
    return {"standard": standard, "dataset": dataset, "items": lines, "ledger": ledger}
