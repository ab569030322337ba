"""The page of what is true and what is not in the NHS-like pack: published rates beside those that were measured."""

from __future__ import annotations

from collections.abc import Iterable

from tests.docs.markdown import WRITTEN, cell, table, wrapped
from tests.plausible.measure import HELD_OUT, SEEN, Rate, kept, rates

OPENING = f"""\
# What is true and what is not in the NHS-like data

{WRITTEN.format(command="python -m tests.docs.render", source="tests/plausible")}
"""

NOT_TRUE = (
    "No person, place, provider or practice is real, and no row was made from a real one.",
    "What is not in the tables above was not compared with anything. A relation that you find in these data is one "
    "that somebody wrote into the pack, or chance.",
    "Who dies, and when, is drawn first, and illnesses then, so that the dying had the severe ones more often: who has "
    "one dies sooner, and who dies of one had it. How much sooner, and how many die within 30 days of a stroke or an "
    "operation, is not that of any publication. The last stay has the cause of death as its diagnosis in four of five "
    "cases.",
    "Twelve illnesses last, each from one day on: hypertension, diabetes, COPD, atrial fibrillation, heart failure, "
    "asthma, depression, cancer, stroke, kidney disease, ischaemic heart disease and dementia. Every later stay tells "
    "of them, as real coders often forget; practices and certificates know the same. None of them gets worse, none "
    "brings another, and no other illness lasts: epilepsy or multiple sclerosis in one stay need not be in the next.",
    "Some 120 primary diagnoses and 32 operations stand for ten thousand, and some 60 groups of costs (HRG), which "
    "follow the illness. Most specialties follow age and kind of admission.",
    "Tables of products rest on those of hospitals where they can: images of inpatients and emergencies are of their "
    "stays, intensive care is told alike in two tables, the two of a birth agree. What is drawn apart: courses of "
    "chemotherapy and the hospital's own days of it, a stroke in hospital and the practice's record of one, contacts "
    "of community and mental health services and stays in hospital, and which hospital somebody goes to: another "
    "each time.",
    "Complaint and diagnosis in the emergency department are not those of the admission that follows.",
    "Mothers and babies are people of one list: a child born in these years has a mother among the 250 who stand near "
    "in it, where one is left (seven in eight deliveries find their child, and the other way round), and her home, "
    "practice, family name and ethnic category. Fathers and older children are not there, twins have one of the two, "
    "a delivery is on the day of admission, and a stay in pregnancy is not followed by its birth.",
    "Deprivation moves emergencies and deaths (most at working age), births, the illnesses that last (those of smokers "
    "most), attendances, readmissions, deaths in hospital and recovery. It moves planned care by illness alone, and "
    "neither waits nor vaccines. Ethnic group moves nothing.",
    "Positive tests depend on the month alone: not on age, symptoms or vaccines. A vaccine protects nobody here.",
    "Waits and stays are the same before, in and after the pandemic; only how many come differs.",
    "Nobody moves house or changes practice, and places are unlike each other only in deprivation.",
)

RUNG = """On the spectrum of synthetic data of the Office for National Statistics (methodology working paper 16) the
third rung is called plausible: formats and rules hold, and the distribution of single columns is like the real one. The
manifest of every build says *valid*, the second rung, and no more, since the third is meant for data that were made
from real ones. These come near the third in another way: single distributions and some relations of two columns were
set from publications, and the tables on this page say which. They do not reach the fourth: relations of many columns,
such as what a regression estimates, mean nothing. Use them to learn, to write and to test programs, never to learn
anything about people."""


def page() -> str:
    """The whole page."""
    return "\n".join([OPENING, *_rates(), *_rest()])


def _rates() -> Iterable[str]:
    told = kept()
    many = told["many"]
    tuned, first, second, third, lives, held = map(rates, (*SEEN, HELD_OUT))
    yield wrapped(
        f"""`pets.dummy("nhs", people={told["people"]:_}, seed={told["seed"]})` was measured, from the written tables
        alone, and {many["people"]:,} people of another seed, where chance matters less. A rate holds within 10 % of
        its published value (3 to 5 % where a share is large). Another seed of {told["people"]:,} people has one to four
        rates a little beside their bands: what few people have, such as a median wait for one operation, moves by
        chance."""
    )
    yield ""
    yield table(
        ["rates", "how many", f"hold, of {told['people']:,} people", f"hold, of {many['people']:,} people"],
        [
            [what, str(len(some)), str(_holding(some, told["rates"])), str(_holding(some, many["rates"]))]
            for what, some in (
                ("the pack was set by them", tuned),
                ("held out until a first look, then mended", first),
                ("held out until a second look, then mended", second),
                ("held out until a third look, then mended", third),
                ("gradients, volumes, illnesses that last", lives),
                ("held out: never used", held),
            )
        ],
    )
    yield "## Rates that the pack was set by\n"
    yield wrapped(
        """They were chosen and written down, with their bands, before the pack was set by them
        (`tests/plausible/rates.yaml`); each build is tested against them."""
    )
    yield ""
    yield _table(tuned, told["rates"], many["rates"])
    yield "## Rates of the first look\n"
    yield wrapped(
        """These 15 were held out while the pack was set by the others. Looked at once, 10 lay in their bands; the pack
        was then mended for the rest (deaths in middle age and of men, urinary disorders, sessions of therapy, tests of
        spring 2022), so they prove nothing more."""
    )
    yield ""
    yield _table(first, told["rates"], many["rates"])
    yield "## Rates of the second look\n"
    yield wrapped(
        """These 15 were held out during that mending. Looked at once, 12 lay in their bands of 50,000 people, 11 of
        400,000; the pack was then mended for the rest in what brings them about: deprivation weighs most at working
        age, who has broken a bone does not come back with another break, clinics have specialties of their own, and
        vaccines came by age and in campaigns."""
    )
    yield ""
    yield _table(second, told["rates"], many["rates"])
    yield "## Rates of the third look\n"
    yield wrapped(
        """These 15 were held out during that second mending. Looked at once, 10 lay in their bands; the pack was mended
        for the rest once more: men of 85 and over are few and die hardly more often than women, the sick who die are
        replaced by others who fall ill, each diagnosis that the publication lists has its share of emergencies and of
        planned care (all had about twice theirs, since few stand for many), and boosters came to most in a campaign."""
    )
    yield ""
    yield _table(third, told["rates"], many["rates"])
    yield "## Gradients, volumes and illnesses that last\n"
    yield wrapped(
        """The pack was set by these 12 with the second mending. Among 50,000 people chance moves most of them by as
        much as their bands; what 400,000 people show is nearer to what the pack gives."""
    )
    yield ""
    yield _table(lives, told["rates"], many["rates"])
    yield "## Rates that were held out\n"
    yield wrapped(
        """Written down before the third mending and measured once after it: 12 lay in their bands of 50,000 people, 13
        of 400,000. Nothing was mended for them; later changes of the pack move them by chance, and they are shown as
        they come out. How far other rates may be from the truth is what these say. Waits and stays of an illness, and
        the shares of those that the publication lists, are set from it, whether the rate is in a list here or not."""
    )
    yield ""
    yield _table(held, told["rates"], many["rates"])


def _holding(some: list[Rate], found: dict[str, float]) -> int:
    return sum(rate.holds(found[rate.name]) for rate in some)


def _table(some: list[Rate], found: dict[str, float], many: dict[str, float]) -> str:
    rows = [
        [
            cell(rate.what),
            f"{rate.published:g}",
            _shown(rate, found),
            _shown(rate, many),
            f"± {rate.band:g} %",
            cell(rate.source),
        ]
        for rate in some
    ]
    return table(["what", "published", "50,000 people", "400,000 people", "band", "source"], rows)


def _shown(rate: Rate, found: dict[str, float]) -> str:
    value = found[rate.name]
    return f"{value:g}" if rate.holds(value) else f"**{value:g}** (outside)"


def _rest() -> Iterable[str]:
    yield "## What is not true\n"
    for line in NOT_TRUE:
        first, *rest = wrapped(line).split("\n")
        yield "\n".join([f"* {first}", *(f"  {more}" for more in rest)])
    yield "\n## How far that goes: the third rung and its limits\n"
    yield wrapped(RUNG) + "\n"
