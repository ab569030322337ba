"""What an expert of hospital data found wrong in the tables of products, looked for again from the tables alone."""

from __future__ import annotations

import pandas as pd
import pytest

import pets
from pets.synthetic.dummy_data.dataset import Dummy

PEOPLE = 10_000


@pytest.fixture(scope="module")
def world() -> Dummy:
    return pets.dummy("nhs", people=PEOPLE, seed=42, products="all")


@pytest.fixture(scope="module")
def births(world: Dummy) -> pd.DataFrame:
    """Babies of the maternity services with their mothers' episodes and tails."""
    tail = world["apc_maternity"].merge(world["apc"], on="EPIKEY", suffixes=("", "_apc"))
    both = world["msds_baby"].merge(tail, left_on=["NHS_NUMBER", "birthdate"], right_on=["PERSON_ID", "ADMIDATE"])
    return both.merge(world["msds_booking"], on="uniqpregid", suffixes=("", "_booking"))


def test_mothers_and_babies_are_people_of_one_population(world: Dummy) -> None:
    people, baby = world["demographics"], world["msds_baby"]
    both = baby.merge(people, left_on="person_id_baby_deid", right_on="nhs_number")
    assert 0.75 < len(both) / len(baby) < 0.95 and both.nhs_number.is_unique
    assert len(both) == baby.person_id_baby_deid.notna().sum() > 250
    assert (both.date_of_birth == both.birthdate).all()
    stated = both[both.gender.isin(["1", "2"])]
    assert (stated.gender == stated.personphensex).all()
    both = both.merge(people, left_on="NHS_NUMBER", right_on="nhs_number", suffixes=("", "_mother"))
    for column in ("lsoa", "region", "imd_decile", "gp_practice_code", "ethnic_category", "family_name", "postcode"):
        assert (both[column].fillna("") == both[f"{column}_mother"].fillna("")).all(), column
    assert ((both.date_of_birth - both.date_of_birth_mother).dt.days / 365.25).between(15, 48).all()
    soon = both.gp_registration_date - both.date_of_birth
    assert soon.dt.days.median() < 60


def test_a_baby_is_born_where_and_when_its_mother_is_delivered(world: Dummy, births: pd.DataFrame) -> None:
    born = world["apc"][world["apc"].EPITYPE == "3"]
    both = born.merge(births, left_on="NEWNHSNO", right_on="person_id_baby_deid", suffixes=("_baby", ""))
    assert len(both) > 250 and (both.ADMIDATE_baby == both.ADMIDATE).all()
    assert (both.SITETRET_baby == both.SITETRET).all() and (both.PROCODE3_baby == both.PROCODE3).all()
    whole = both[both.SPELDUR.notna() & both.SPELDUR_baby.notna()]
    assert (whole.SPELDUR_baby == whole.SPELDUR).mean() > 0.85
    # some ails are of later life, and most are drawn for the age
    assert not born[["DIAG_4_02", "DIAG_4_03"]].isin(["J459", "G409", "E669", "F419", "E039"]).any().any()
    assert (born.OPERTN_COUNT == 0).mean() > 0.7


def test_two_sources_of_one_birth_agree(births: pd.DataFrame) -> None:
    first = births[births.birthorder == 1]
    told = first[first.GESTAT_1.notna()]
    assert (told.gestationlengthbirth // 7 == told.GESTAT_1).all()
    assert (first.birthweight == first.BIRWEIT_1).all() and (first.personphensex == first.SEXBABY_1).all()
    assert (first.deliverymethodcode == first.DELMETH_1).all() and (first.birthdate == first.OPDATE_01).all()
    early = first[first.ANAGEST.notna()]
    assert (early.gestagebooking // 7 == early.ANAGEST).all()
    before = first[first.NUMPREG.notna() & first.previouslivebirths.notna()]
    assert (before.previouslivebirths <= before.NUMPREG).all()
    assert 0.04 < (first.gestationlengthbirth < 259).mean() < 0.11
    assert first[["gestationlengthbirth", "birthweight"]].astype(float).corr().iloc[0, 1] > 0.4
    twins = births[births.NUMBABY == "2"]
    assert (twins.groupby("EPIKEY").size() == 2).all() and (twins.DIAG_4_02 == "Z372").all() and len(twins)


def test_a_history_of_births_grows(births: pd.DataFrame) -> None:
    first = births[(births.birthorder == 1)].sort_values("birthdate")
    scar = first[(first.DIAG_4_01 == "O342") & first.previouscaesareansections.notna()]
    assert (scar.previouscaesareansections >= 1).all() and len(scar) > 20
    later = first[first.groupby("NHS_NUMBER").cumcount() == 1]
    again = later.merge(first.drop_duplicates("NHS_NUMBER"), on="NHS_NUMBER")
    known = again[again.previouslivebirths_x.notna() & again.previouslivebirths_y.notna()]
    assert (known.previouslivebirths_x > known.previouslivebirths_y).all() and len(known) > 5


def test_bookings_are_on_days_of_the_week(world: Dummy) -> None:
    assert (world["msds_booking"].antenatalappdate.dt.dayofweek >= 5).mean() < 0.06


def test_fields_of_extracts_are_there(world: Dummy) -> None:
    apc, op = world["apc"], world["op"]
    hurt = apc[apc.CAUSE_4.notna()]
    assert (hurt.CAUSE_4.str[:3] == hurt.CAUSE_3).all() and apc.CAUSE_3.notna().sum() == len(hurt) > 100
    assert 0.75 < apc.ETHRAW.notna().mean() < apc.ETHNOS.notna().mean()
    assert 0.75 < (apc.RURURB_IND.dropna() == "5").mean() < 0.9
    kinds = pd.concat([apc, op]).groupby("LSOA11").RURURB_IND.nunique()
    assert (kinds <= 1).all()
