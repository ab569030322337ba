"""Asking: one page on which a question is written, priced, tried on invented rows, and asked.

The form writes SQL, and what is priced, tried and asked is what the SQL says. Each goes through the endpoint that
everybody asks through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pets.common.codec import Json
from pets.common.percent import percent
from pets.errors import PetsError, SqlError
from pets.schema.schema import Schema
from pets.service.console.page import Answer, Html, Page, Redirect, Visit, said
from pets.service.console.pages.analyst.answers import real
from pets.service.console.pages.analyst.budget import Bar, price_bar, remaining, units
from pets.service.console.pages.analyst.draft import HOW, Draft, opened, sent
from pets.service.console.pages.analyst.parts import MEASURES, PERIODS, ROWS, SIGNS, columns, question
from pets.service.wire.problems import status
from pets.session.quoting.quote import Quote

_DUMMY_ROWS = 1000


@dataclass(frozen=True)
class Price:
    """What a question costs, and how good its answer will be, for a page.

    Attributes:
        sentence: the price.
        fits: whether the budget has room for it.
        errors: of each output: its name, and the expected error.
        within: of how many cells.
        takes: of the budget, drawn.
        notes: what else is to be known of the question.
        explained: who is protected, what is clamped, and how far one person moves the answer.
    """

    sentence: str
    fits: bool
    errors: tuple[tuple[str, str], ...]
    within: str
    takes: Bar
    notes: tuple[str, ...]
    explained: tuple[tuple[bool, str], ...]


@dataclass(frozen=True)
class Wrong:
    """Why there is no price, or no answer: a sentence, the place in the SQL, and the status of HTTP."""

    sentence: str
    excerpt: str
    status: int


@dataclass(frozen=True)
class Place:
    """What is known of the dataset while a question is written."""

    schema: Schema
    tables: list[str]


def _place(visit: Visit) -> Place:
    told = visit.ask("GET", "/datasets/{dataset}/schema", path={"dataset": visit.path["dataset"]})
    return Place(Schema.from_json(told["schema"]), list(told["tables"]))


def _open(visit: Visit) -> Html:
    place = _place(visit)
    visit.service.ensure()  # whoever opens the page soon asks: processes that answer start meanwhile
    draft = opened(visit, place.tables)
    return _page(visit, place, draft if draft.sql else _written(place, draft))


def _written(place: Place, draft: Draft) -> Draft:
    """The draft with the SQL that its parts say; raises :class:`QueryError` and :class:`SchemaError`."""
    return replace(draft, sql=question(place.schema, draft.table, draft.parts).sql(place.schema))


def _post(visit: Visit) -> Answer:
    place = _place(visit)
    draft, do = sent(visit, place.tables), visit.form.get("do", "price")
    try:
        if do == "write":
            draft = _written(place, draft)
        elif do == "dummy":
            return _dummy(visit, draft)
        elif do == "release":
            return _release(visit, draft)
    except PetsError as error:
        return _page(visit, place, draft, _wrong(error))
    return _page(visit, place, draft)


def _page(visit: Visit, place: Place, draft: Draft, wrong: Wrong | None = None) -> Html:
    """The page with all that is known of the question so far."""
    price = None
    if wrong is None:
        price, wrong = _priced(visit, draft)
    values: Json = {
        **{"draft": draft, "tables": place.tables, "columns": columns(place.schema, draft.table), "rows": ROWS},
        **{"measures": MEASURES, "signs": SIGNS, "periods": PERIODS, "how": HOW, "price": price, "wrong": wrong},
    }
    return Html("analyst/ask.html", values, 200 if wrong is None else wrong.status)


def _fragment(visit: Visit) -> Html:
    """Price and expected error as one types; where the parts changed, the SQL that they say, too.

    It is read by a script, whatever became of the question: so its status is 200.
    """
    place = _place(visit)
    draft, price, wrong = sent(visit, place.tables), None, None
    try:
        if visit.form.get("from") == "parts":
            draft = replace(draft, sql="")  # what the parts do not say is not asked either
            draft = _written(place, draft)
    except PetsError as error:
        wrong = _wrong(error)
    if wrong is None:
        price, wrong = _priced(visit, draft)
    return Html("analyst/price.html", {"draft": draft, "price": price, "wrong": wrong})


def _query(visit: Visit, draft: Draft) -> tuple[Json, list[str]]:
    """The query that the SQL asks, and what is to be said of it."""
    told = visit.ask(
        "POST", "/datasets/{dataset}/sql", path={"dataset": draft.dataset}, body={"sql": draft.sql.strip()}
    )
    return told["query"], told["remarks"]


def _priced(visit: Visit, draft: Draft) -> tuple[Price | None, Wrong | None]:
    at = {"dataset": draft.dataset}
    try:
        query, remarks = _query(visit, draft)
        asked = {"queries": [query], "protection": draft.protection}
        quote = Quote.from_json(visit.ask("POST", "/datasets/{dataset}/quote", path=at, body=asked)["quote"])
        told = {"query": query, "protection": draft.protection}
        explained = str(visit.ask("POST", "/datasets/{dataset}/explain", path=at, body=told)["text"])
        budget = remaining(visit, draft.dataset)
    except PetsError as error:
        return None, _wrong(error)
    return Price(
        sentence=_sentence(quote),
        fits=quote.fits,
        errors=tuple((one.output, str(one)) for one in quote.errors[0]),
        within=percent(quote.confidence),
        takes=price_bar(budget, quote.cost),
        notes=(*remarks, *quote.notes, *((quote.advice,) if quote.advice else ())),
        explained=tuple((line.startswith(" "), line.strip()) for line in explained.split("\n") if line.strip()),
    ), None


def _sentence(quote: Quote) -> str:
    """The price, such as ``ε = 0.1, δ = 1e-06 (ρ = 0.0005 of the budget), and room for 12 such questions.``"""
    at = f"ε = {quote.epsilon:.4g}" + (f", δ = {quote.delta:g}" if quote.delta else "")
    if not quote.fits:
        return f"{at} ({units(quote.cost)} of the budget), which is more than is left."
    many = "" if quote.more is None else f"; room for about {quote.more:,} such question{'s' * (quote.more != 1)}"
    return f"{at} ({units(quote.cost)} of the budget){many}."


def _wrong(error: PetsError) -> Wrong:
    if isinstance(error, SqlError):
        return Wrong(error.sentence, error.excerpt, status(error))
    return Wrong(said(error), "", status(error))


def _dummy(visit: Visit, draft: Draft) -> Redirect:
    """Ask it of invented rows. (No thread waits for the answer: its page does.)"""
    query, _ = _query(visit, draft)
    body = {"queries": [query], "protection": draft.protection, "rows": _DUMMY_ROWS, "seed": 0}
    told = visit.ask("POST", "/datasets/{dataset}/dummy", path={"dataset": draft.dataset}, body=body)
    return Redirect(f"/jobs/{told['job']['id']}")


def _release(visit: Visit, draft: Draft) -> Answer:
    """Ask, once for each page and question: a reload or a second click is the same request."""
    query, _ = _query(visit, draft)
    body = {"queries": [query], "protection": draft.protection}
    at = {"dataset": draft.dataset}
    told = visit.ask("POST", "/datasets/{dataset}/queries", path=at, body=body, key=draft.key(body))
    if told["job"] is not None:
        return Redirect(f"/jobs/{told['job']['id']}")
    values = {"dataset": draft.dataset, "answers": real(visit, draft.dataset, told["releases"])}
    return Html("analyst/known.html", values)


PAGES = (
    Page("GET", "/datasets/{dataset}/ask", _open),
    Page("POST", "/datasets/{dataset}/ask", _post),
    Page("POST", "/datasets/{dataset}/price", _fragment),
)
