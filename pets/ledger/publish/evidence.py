"""Evidence: what a ledger shows of NIST SP 800-226's questions about a guarantee, and of SATRE's items about outputs.

Each line says what is asked, what this dataset's ledger answers, and where it can be seen; what is the custodian's to
answer is said to be. Nothing here is a certificate of compliance.
"""

from __future__ import annotations

from pets.common.codec import Json
from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Published

OURS, EVIDENCED, YOURS = "answered", "evidenced", "the custodian's"

SOURCES = {
    "NIST SP 800-226": "https://doi.org/10.6028/NIST.SP.800-226: the factors of its pyramid, in the words of pets",
    "SATRE v2": "https://github.com/sa-tre/satre-specification (CC BY 4.0), specification.yaml at d0543ab, shortened",
}


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
        (
            "3.3.09 machine-readable record of all disclosure-control criteria",
            OURS,
            f"A certificate each ({entries}).",
            "certificate",
        ),
        (
            "3.3.08 semi-automated system for checks on outputs",
            OURS,
            "Policy and budget are checked before data is opened.",
            "public log",
        ),
        (
            "3.3.07 disclosure risks associated with outputs that cannot be manually checked",
            EVIDENCED,
            "The bound holds for any output.",
            "docs/proofs",
        ),
        (
            "3.3.06 statistical basis to guide decisions on the safety of outputs",
            OURS,
            "Written proofs, one a measure and mechanism.",
            "docs/proofs",
        ),
        (
            "3.3.01 system to help classify outputs",
            EVIDENCED,
            "Protected, exact, synthetic and dummy are named apart.",
            "certificate",
        ),
        (
            "3.3.02 outputs limited to the minimum required",
            EVIDENCED,
            "Each output has a price from one budget.",
            "public log",
        ),
        (
            "3.3.03 the intended outputs of each project",
            EVIDENCED,
            "The log has what was asked before it was answered.",
            "public log",
        ),
        (
            "3.3.05 assigning responsibility for output checking",
            EVIDENCED,
            "A program checks; who signs changes is in the log.",
            "public log",
        ),
        (
            "3.4.01 metadata catalogue of available datasets",
            EVIDENCED,
            "The schema is public, and its digest is in each entry.",
            "schema",
        ),
        (
            "3.4.02 data model to describe what a data asset contains",
            OURS,
            "The schema has each column's type, domain and unit.",
            "schema",
        ),
        (
            "3.4.03 interface to query elements of the data",
            OURS,
            "Questions are asked without access to rows.",
            "docs/guide.md",
        ),
        (
            "3.4.04 synthetic data without exposing the underlying data set",
            OURS,
            "Dummy and synthetic tables, marked and certified.",
            "manifest",
        ),
        ("3.1.11 log how input data is modified", EVIDENCED, "The fate of every row is reported.", "profile"),
        (
            "2.1.11 tools to encourage best-practice in reproducibly analysing data",
            EVIDENCED,
            "A question has one canonical form and digest.",
            "release",
        ),
        (
            "2.5.03 security logs of significant events",
            EVIDENCED,
            "Chained, signed, exported, and witnessed where asked.",
            "docs/witnesses.md",
        ),
        (
            "2.7.06 security testing strategy and the results",
            OURS,
            "The tests and the planted bugs are in the repository.",
            "AUDITS.md",
        ),
        ("1.5.06 each user a unique logon", YOURS, "The account tells analysts apart by the name it is given.", ""),
        ("3.2.05 federated authentication or single sign-on", YOURS, "Where pets is served.", ""),
        ("5.3.01 register of projects", EVIDENCED, "A project's entry is made from the log.", "export --register"),
        (
            "5.4.01 standards for encryption, for managing cryptographic keys",
            EVIDENCED,
            "A signed roster names the keys of each site.",
            "roster",
        ),
        (
            "5.4.04 security logs made available to the federation",
            EVIDENCED,
            "Each site's log is exported, and others can verify it.",
            "docs/federated.md",
        ),
        (
            "5.6.01 approach to the management of outputs",
            EVIDENCED,
            "Each site certifies its own part, under its own policy.",
            "certificate, federation",
        ),
    ]
    return _form("SATRE v2", public, dataset, said)


def _form(standard: str, public: Published, dataset: str, said: list[tuple[str, str, str, str]]) -> Json:
    names = ("item", "who", "answer", "where")
    lines = [dict(zip(names, one, strict=True)) for one in said]
    lines = [{name: text.replace("\u00a0", " ") for name, text in line.items()} for line in lines]
    story = public.history
    ledger = {"origin": story.origin, "entries": story.size, "as_of": story.at, "key_id": public.key.id}
    return {"standard": standard, "source": SOURCES[standard], "dataset": dataset, "items": lines, "ledger": ledger}
