"""What an expert of hospital data found wrong in the NHS-like rows, looked for again from the tables alone."""

from __future__ import annotations

import pandas as pd
import pytest

import pets
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.packs.pack import load_pack

PEOPLE = 15_000


@pytest.fixture(scope="module")
def world() -> Dummy:
    return pets.dummy("nhs", people=PEOPLE, seed=42)


@pytest.fixture(scope="module")
def apc(world: Dummy) -> pd.DataFrame:
    return world["apc"]


def test_no_covid_before_it_had_a_code(world: Dummy, apc: pd.DataFrame) -> None:
    first = pd.Timestamp("2020-02-01")
    codes = [column for column in apc.columns if column.startswith("DIAG_4")]
    assert (first <= apc[apc[codes].eq("U071").any(axis=1)].EPISTART).all()
    ecds, op = world["ecds"], world["op"]
    seen = ecds[[c for c in ecds.columns if c.startswith("DIAGNOSIS_CODE")]].eq("840539006").any(axis=1)
    assert (first <= ecds[seen].ARRIVAL_DATE).all() and seen.sum() > 100
    assert (first <= op[op.DIAG_4_01 == "U071"].APPTDATE).all()
    # and there are waves: the winter of 2020 has several times the summer before
    days = apc[apc.DIAG_4_01 == "U071"].EPISTART
    winter, summer = days.between("2020-12-01", "2021-02-28").sum(), days.between("2020-06-16", "2020-09-14").sum()
    assert winter > 3 * summer


def test_vaccines_and_tests_are_of_their_time(world: Dummy) -> None:
    doses, tests, people = world["vaccinations"], world["sgss"], world["demographics"]
    first = doses.groupby("VACCINE_MANUFACTURER").VACCINATION_DATE.min()
    assert first["AstraZeneca"] >= pd.Timestamp("2021-01-04") and first["Moderna"] >= pd.Timestamp("2021-04-07")
    assert (doses[doses.DOSE_SEQUENCE >= 3].VACCINATION_DATE >= "2021-09-01").all()
    born = doses.merge(people, left_on="NHS_NUMBER", right_on="nhs_number").date_of_birth
    young = (doses.VACCINATION_DATE - born).dt.days < 12 * 365
    assert (doses[young].VACCINATION_DATE >= "2022-01-31").all() and young.sum() > 50
    assert (doses.groupby("BATCH_NUMBER").VACCINE_MANUFACTURER.nunique() == 1).all()
    assert (tests[tests.TEST_TYPE == "LFT"].SPECIMEN_DATE >= "2020-11-01").all()
    assert (tests[tests.VARIANT.notna()].SPECIMEN_DATE >= "2020-09-01").all()


def test_babies_are_born_and_women_delivered(world: Dummy, apc: pd.DataFrame) -> None:
    people = world["demographics"]
    births = apc[apc.EPITYPE == "3"].merge(people, left_on="NEWNHSNO", right_on="nhs_number")
    babies = people[people.date_of_birth >= "2019-04-01"]
    assert (births.date_of_birth == births.ADMIDATE).all() and (births.DIAG_4_01 == "Z380").all()
    assert births.NEWNHSNO.is_unique and 0.95 * len(babies) < len(births) <= len(babies)
    deliveries = apc[apc.EPITYPE == "2"].sort_values("ADMIDATE")
    assert deliveries.OPERTN_4_01.isin(["R172", "R182", "R214", "R229", "R249"]).all() and (deliveries.SEX == "2").all()
    assert deliveries.DIAG_4_02.isin(["Z370", "Z371", "Z372"]).all() and not apc.DIAG_4_01.eq("O800").any()
    apart = deliveries.groupby("NEWNHSNO").ADMIDATE.diff().dropna().dt.days
    assert (apart >= 300).all()
    assert 0.5 < len(deliveries) / len(births) < 1.5


def test_what_is_done_and_how_long_follows_the_illness(apc: pd.DataFrame) -> None:
    stays = apc[apc.SPELDUR.notna() & (apc.CLASSPAT == "1")].groupby("DIAG_4_01").SPELDUR.mean()
    assert stays["R074"] < 3 < stays["I214"] < 8 and stays["J181"] > 6 and stays["S720"] > 12 and stays["I639"] > 10
    for operation, illness in {"C751": "H259", "W371": "M169", "W401": "M179", "J183": "K802", "T202": "K409"}.items():
        assert (illness == apc[operation == apc.OPERTN_4_01].DIAG_4_01).all(), operation
    lenses = apc[(apc.OPERTN_4_01 == "C751") & (apc.EPIORDER == 1)]
    assert (lenses.TRETSPEF == "130").all() and len(lenses) > 100
    assert (apc[apc.SUSHRG.isin(["NZ30C", "NZ50C"])].SEX == "2").all()


def test_deaths_follow_from_illness(world: Dummy, apc: pd.DataFrame) -> None:
    deaths = world["deaths"]
    both = apc[apc.DISMETH == "4"].merge(deaths, left_on="NEWNHSNO", right_on="DEC_CONF_NHS_NUMBER")
    assert 0.7 < (both.DIAG_4_01 == both.S_UNDERLYING_COD_ICD10).mean() < 0.9
    assert not (apc[apc.DISMETH == "4"].DIAG_4_01.isin(["M169", "M179", "H259"])).mean() > 0.05
    grown = deaths[deaths.S_UNDERLYING_COD_ICD10.isin(["K703", "C61X", "F03X", "I259"])]
    assert (grown.DEC_AGEC >= 18).all()
    infants = deaths[deaths.DEC_AGEC == 0]
    assert 0.001 < len(infants) / len(deaths) < 0.012 and infants.S_UNDERLYING_COD_ICD10.str[0].isin([*"APQRJ"]).all()


def test_codes_are_of_the_fifth_edition_and_dates_of_decisions_are_plain(world: Dummy, apc: pd.DataFrame) -> None:
    every = set(apc.filter(like="DIAG_4").stack()) | set(world["deaths"].filter(like="S_COD_CODE").stack())
    assert not every & {"I48X", "K359", "C80X"} and {"I489", "K358"} <= every
    assert not set(apc.filter(like="OPERTN_4").stack()) & {"R171", "R181", "R218", "F103", "W241"}
    ecds = world["ecds"].merge(world["demographics"], left_on="NHS_NUMBER", right_on="nhs_number")
    decided = ecds[ecds.DECIDED_TO_ADMIT_DATE.notna()]
    assert (decided.DECIDED_TO_ADMIT_DATE == decided.ARRIVAL_DATE).all()
    assert not (decided.date_of_death < decided.DECIDED_TO_ADMIT_DATE).any()


def test_children_stay_two_days(apc: pd.DataFrame) -> None:
    young = apc[(apc.STARTAGE_CALC < 18) & apc.SPELDUR.notna()]
    assert 1 < young.SPELDUR.mean() < 3


def test_places_lie_in_one_region_and_deprivation_tells(world: Dummy, apc: pd.DataFrame) -> None:
    people = world["demographics"]
    assert (people.groupby("lsoa").region.nunique() == 1).all() and people.region.nunique() == 9
    assert set(apc.IMD04_DECILE) == set(load_pack("nhs").lists["imd_words"].codes)
    told = apc.merge(people, left_on="NEWNHSNO", right_on="nhs_number")
    assert (told[told.imd_decile == 1].IMD04_DECILE == "Most deprived 10%").all()
    told = told[(told.EPIORDER == 1) & told.ADMIMETH.str.startswith("2")]
    rate = told.groupby("imd_decile").size() / people.groupby("imd_decile").size()
    assert rate.loc[1:2].mean() > 1.3 * rate.loc[9:10].mean()


def test_first_attendances_are_first_and_no_grown_up_goes_to_neonatal_care(world: Dummy) -> None:
    op = world["op"].sort_values(["NEWNHSNO", "APPTDATE"], kind="stable")
    first = op.drop_duplicates("NEWNHSNO").FIRSTATT
    assert first.isin(["1", "3"]).mean() > 0.97  # (two of one day stand in no order)
    assert 0.15 < op.FIRSTATT.isin(["1", "3"]).mean() < 0.5
    assert not (world["ecds"].DISCHARGE_DESTINATION == "1066401000000108").any()


def test_planned_care_rests_at_weekends_and_emergencies_do_not(world: Dummy, apc: pd.DataFrame) -> None:
    first = apc[apc.EPIORDER == 1]
    by_day = first.groupby([first.ADMIMETH.str[0], first.ADMIDATE.dt.dayofweek]).size().unstack()
    week = by_day.loc[:, 0:4].mean(axis=1)
    assert (by_day.loc["1", 5:6] < 0.35 * week["1"]).all()
    assert (by_day.loc["2", 5:6] > 0.75 * week["2"]).all() and (by_day.loc["2", 5:6] < week["2"]).all()
    came = world["ecds"].ARRIVAL_DATE.dt.dayofweek.value_counts(normalize=True).sort_index()
    assert came.idxmax() == 0 and came.max() < 0.18 and came.min() > 0.12


def test_airways_are_a_winter_illness(apc: pd.DataFrame) -> None:
    first = apc[apc.EPIORDER == 1]
    month = first.ADMIDATE.dt.month
    winter, summer = month.isin([12, 1, 2]), month.isin([6, 7, 8])
    lungs = first.DIAG_4_01.isin(["J181", "J189", "J219", "J22X", "J440"])
    other = first.DIAG_4_01.isin(["R074", "R104", "S720", "N390", "I214"])
    assert (lungs & winter).sum() > 1.5 * (lungs & summer).sum() and (lungs & summer).sum() > 50
    assert 0.7 < (other & winter).sum() / (other & summer).sum() < 1.4  # (some three hundred of each)


def test_who_leaves_hospital_comes_back_with_the_same_illness(apc: pd.DataFrame) -> None:
    whole = apc[apc.SPELDUR.notna()].sort_values(["NEWNHSNO", "ADMIDATE", "DISDATE"])
    before = whole.groupby("NEWNHSNO")[["DISDATE", "DIAG_4_01", "ADMIMETH"]].shift()
    gap = (whole.ADMIDATE - pd.to_datetime(before.DISDATE)).dt.days
    back = whole[gap.between(1, 30) & whole.ADMIMETH.str.startswith("2") & before.ADMIMETH.str.startswith("2")]
    assert len(back) > 400 and (before.DIAG_4_01[back.index] == back.DIAG_4_01).mean() > 0.3


def test_depression_and_anxiety_go_together(world: Dummy) -> None:
    scores = world["ids101referral"][["PHQ9_FIRSTSCORE", "GAD_FIRSTSCORE"]].astype(float)
    assert 0.45 < scores.corr().iloc[0, 1] < 0.8


def test_stays_for_covid_have_a_positive_test(world: Dummy, apc: pd.DataFrame) -> None:
    stays = apc[(apc.DIAG_4_01 == "U071") & (apc.EPIORDER == 1) & (apc.ADMIDATE >= "2020-03-10")]
    found = world["sgss"][world["sgss"].TEST_RESULT == "Positive"]
    pairs = stays.merge(found, left_on="NEWNHSNO", right_on="NHS_NUMBER")
    near = pairs[(pairs.ADMIDATE - pairs.SPECIMEN_DATE).dt.days.abs() <= 14]
    assert near.EPIKEY.nunique() > 0.8 * len(stays) > 80


def test_most_outpatient_diagnoses_are_not_coded(world: Dummy, apc: pd.DataFrame) -> None:
    assert 0.9 < (world["op"].DIAG_4_01 == "R69X").mean() < 0.98
    assert 0.01 < (apc.DIAG_4_01 == "R69X").mean() < 0.02


def test_the_flags_of_an_extract_are_there(apc: pd.DataFrame) -> None:
    assert set(apc.SPELEND) == {"Y", "N"} and (apc[apc.SPELEND == "Y"].groupby("PROVSPNOPS").size() == 1).all()
    assert (apc.FCE == "1").all() and (apc.FAE == "1").sum() == (apc.FDE == "1").sum() == (apc.SPELEND == "Y").sum()
    assert apc[apc.FAE_EMERGENCY == "1"].ADMIMETH.str.startswith("2").all()
    injured = apc[apc.DIAG_4_01.isin(["S720", "S525", "T391"])]
    assert injured.CAUSE_4.notna().all() and apc[apc.DIAG_4_01 == "J181"].CAUSE_4.isna().all()


LASTING = {
    "heart failure": {"I500", "I509"},
    "lung disease": {"J440", "J449"},
    "diabetes": {"E109", "E119"},
    "kidney disease": {"N183", "N189"},
    "dementia": {"F03X", "G309"},
    "fibrillation": {"I489"},
    "stroke": {"I694"},
}


def known(apc: pd.DataFrame, codes: set[str]) -> pd.Series:
    """Whether an episode tells of an illness."""
    return apc.filter(like="DIAG_4_").isin(codes).any(axis=1)


@pytest.mark.parametrize("illness", LASTING)
def test_an_illness_that_lasts_is_told_in_every_later_episode(apc: pd.DataFrame, illness: str) -> None:
    alive = apc.DISMETH.ne("4")  # (of what one has at last one may have died before it was known)
    episodes = apc[alive].assign(told=known(apc, LASTING[illness])).sort_values(["NEWNHSNO", "EPISTART", "EPIORDER"])
    before = episodes.groupby("NEWNHSNO").told.cumsum() - episodes.told
    later = episodes[before > 0]
    assert len(later) > 100 and later.told.all(), later[~later.told].NEWNHSNO.head().tolist()
    people = episodes[episodes.told].NEWNHSNO.nunique() / episodes.NEWNHSNO.nunique()
    assert 0.004 < people < 0.3, people


def test_who_has_a_severe_illness_dies_sooner(world: Dummy, apc: pd.DataFrame) -> None:
    day = pd.Timestamp("2021-04-01")
    people = world["demographics"].set_index("nhs_number")
    people = people[people.date_of_death.isna() | (people.date_of_death > day)]
    age = (day - people.date_of_birth).dt.days / 365.25
    seen = apc[day > apc.EPISTART]
    severe = set().union(*(LASTING[name] for name in ("heart failure", "lung disease", "kidney disease", "stroke")))
    old = people[age.between(75, 85) & people.index.isin(seen.NEWNHSNO)]
    died = old.date_of_death.notna()
    ill = old.index.isin(seen[known(seen, severe)].NEWNHSNO)
    assert ill.sum() > 100 and 2 < died[ill].mean() / died[~ill].mean() < 5


def test_who_has_a_failing_heart_comes_for_it_again(apc: pd.DataFrame) -> None:
    urgent = apc[apc.ADMIMETH.str.startswith("2") & (apc.EPIORDER == 1)].sort_values(["NEWNHSNO", "ADMIDATE"])
    for codes in (LASTING["heart failure"], LASTING["lung disease"]):
        has = known(urgent, codes)
        main = urgent.DIAG_4_01.isin(codes)
        assert main[has].mean() > 0.12 and not main[~has].any()


def test_one_certificate_and_one_life_tell_of_the_same_illnesses(world: Dummy, apc: pd.DataFrame) -> None:
    deaths = world["deaths"].set_index("DEC_CONF_NHS_NUMBER")
    for codes in (LASTING["heart failure"], LASTING["lung disease"], LASTING["diabetes"], LASTING["dementia"]):
        certified = deaths.filter(like="S_COD_CODE").isin(codes).any(axis=1)
        had = deaths.index.isin(apc[known(apc, codes)].NEWNHSNO)
        been = deaths.index.isin(apc.NEWNHSNO)
        assert certified[had].mean() > 0.35 > 3 * certified[been & ~had].mean()


def test_deprivation_tells_at_birth_at_work_and_at_death(world: Dummy, apc: pd.DataFrame) -> None:
    people = world["demographics"].set_index("nhs_number")
    poor, rich = people.imd_decile <= 3, people.imd_decile >= 8

    def ratio(of: pd.Series) -> float:
        among = people.index.isin(of)
        return float(among[poor].mean() / among[rich].mean())

    first = apc[apc.EPIORDER == 1]
    urgent = first[first.ADMIMETH.str.startswith("2")]
    assert 1.4 < ratio(urgent[urgent.STARTAGE_CALC.between(20, 64)].NEWNHSNO) < 2.1
    old = people.date_of_birth < "1953-01-01"
    came = people.index.isin(urgent[urgent.STARTAGE_CALC >= 67].NEWNHSNO)
    assert 1.05 < came[poor & old].mean() / came[rich & old].mean() < 1.5
    assert 1.3 < ratio(first[first.EPITYPE == "2"].NEWNHSNO) < 2.3
    assert 1.5 < ratio(first[known(first, LASTING["lung disease"])].NEWNHSNO) < 3.2
    died = people[people.date_of_death.notna()]
    young = died[(died.date_of_death - died.date_of_birth).dt.days.between(35 * 365, 70 * 365)].index
    assert 1.5 < ratio(pd.Series(young)) < 3.2


def test_as_many_come_to_clinics_and_tests_as_in_england(world: Dummy) -> None:
    people = world["demographics"]
    alive = (people.date_of_death.isna() | (people.date_of_death > "2023-06-30")).sum()
    assert 2.0 < (world["op"].APPTDATE.dt.year == 2023).sum() / alive < 2.6
    assert 7.0 < len(world["sgss"]) / alive < 8.5
    assert 2.5 < len(world["vaccinations"]) / alive < 3.2
