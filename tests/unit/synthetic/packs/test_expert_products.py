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


def _of_people(world: Dummy, table: str, person: str = "NHS_NUMBER") -> pd.DataFrame:
    return world[table].merge(world["demographics"], left_on=person, right_on="nhs_number")


def test_a_persons_measurements_are_near_each_other(world: Dummy) -> None:
    told = _of_people(world, "gdppr")
    told["years"] = (told.DATE - told.date_of_birth).dt.days / 365.25
    tall = told[(told.CODE == "50373000") & (told.years >= 18)]
    by_sex = tall.groupby("gender").VALUE1_CONDITION.mean()
    assert 174 < by_sex["1"] < 178 and 160 < by_sex["2"] < 164
    assert tall.groupby("NHS_NUMBER").VALUE1_CONDITION.agg(lambda values: values.max() - values.min()).max() < 8
    heavy = told[told.CODE == "27113001"]
    assert heavy[heavy.years < 0.5].VALUE1_CONDITION.median() < 8
    assert 16 < heavy[heavy.years.between(4.5, 6.5)].VALUE1_CONDITION.median() < 23
    spread = heavy[heavy.years >= 20].groupby("NHS_NUMBER").VALUE1_CONDITION.agg(["count", "std"])
    assert spread[spread["count"] > 2]["std"].mean() < 4 < heavy[heavy.years >= 20].VALUE1_CONDITION.std() / 3
    press = told[told.CODE == "75367002"][["VALUE1_CONDITION", "VALUE2_CONDITION"]].astype(float)
    assert press.corr().iloc[0, 1] > 0.5


def test_who_never_smoked_never_had(world: Dummy) -> None:
    told = world["gdppr"]
    smoking = told[told.CODE.isin(["77176002", "8517006", "266919005"])]
    assert (smoking.groupby("NHS_NUMBER").CODE.nunique() == 1).all() and smoking.CODE.nunique() == 3


def test_influenza_vaccinations_are_of_the_autumn(world: Dummy) -> None:
    months = world["gdppr"][world["gdppr"].CODE == "822851000000102"].DATE.dt.month
    assert months.isin([9, 10, 11, 12]).mean() > 0.85


def test_medicines_stay_the_same_and_cost_what_they_cost(world: Dummy) -> None:
    items = world["medicines"]
    clots = items[items.PaidBNFName.isin(["apixaban", "warfarin sodium"])].groupby("NHS_NUMBER").PaidBNFName.nunique()
    assert (clots == 1).all() and len(clots) > 100
    assert items.groupby("NHS_NUMBER").PaidBNFChemical.nunique().mean() < 3
    costs = items.groupby("PaidBNFName").ItemNIC.median()
    assert costs["apixaban"] > 20 * costs["ramipril"] and costs["beclometasone dipropionate"] > 3 * costs["salbutamol"]
    monthly = items.groupby(["NHS_NUMBER", "PaidBNFChemical", "ProcessedPeriod"]).size()
    assert (monthly > 1).mean() < 0.05
    first = world["nda"][world["nda"].DERIVED_CLEAN_DIABETES_TYPE == "1"].NHS_NUMBER
    young = items[items.NHS_NUMBER.isin(set(first)) & (items.PatientAge < 18)]
    assert not (young.PaidBNFName == "metformin hydrochloride").any()


def test_the_diabetes_audit_follows_people(world: Dummy) -> None:
    audit = world["nda"].sort_values(["NHS_NUMBER", "AUDIT_YEAR"])
    for column in ("CLEAN_MMOL_HBA1C_VALUE", "CLEAN_BMI_VALUE", "CLEAN_CREATININE_VALUE", "CLEAN_CHOLESTEROL_VALUE"):
        before = audit.groupby("NHS_NUMBER")[column].shift()
        assert audit[column].astype(float).corr(before.astype(float)) > 0.5, column
    kidney = audit.groupby("DERIVED_CLEAN_SEX").CLEAN_CREATININE_VALUE.mean()
    assert kidney["1"] > kidney["2"] + 10
    absent = audit[["CLEAN_BMI_VALUE", "CLEAN_MMOL_HBA1C_VALUE"]].isna()
    assert absent.corr().iloc[0, 1] > 0.1


def test_images_of_inpatients_and_emergencies_are_of_their_days(world: Dummy) -> None:
    images, apc = world["did"], world["apc"]
    stays = images[images.PATIENT_SOURCE_SETTING == "01"].merge(apc, left_on="NHS_NUMBER", right_on="NEWNHSNO")
    day = stays.DIAGNOSTIC_TEST_DATE
    inside = stays[(day >= stays.EPISTART) & (day <= stays.EPIEND)]
    assert inside.SUBMISSIONDATAID.nunique() == (images.PATIENT_SOURCE_SETTING == "01").sum() > 2000
    came = pd.concat(
        [
            world["ecds"][["NHS_NUMBER", "ARRIVAL_DATE"]],
            world["ae"][["NEWNHSNO", "ARRIVALDATE"]].set_axis(["NHS_NUMBER", "ARRIVAL_DATE"], axis=1),
        ]
    ).drop_duplicates()
    urgent = images[images.PATIENT_SOURCE_SETTING == "05"]
    both = urgent.merge(came, left_on=["NHS_NUMBER", "DIAGNOSTIC_TEST_DATE"], right_on=["NHS_NUMBER", "ARRIVAL_DATE"])
    assert both.SUBMISSIONDATAID.nunique() > 0.99 * len(urgent) > 2000
    weekend = images.DIAGNOSTIC_TEST_DATE.dt.dayofweek >= 5
    assert weekend[images.PATIENT_SOURCE_SETTING.isin(["01", "05"])].mean() > 0.22
    assert weekend[images.PATIENT_SOURCE_SETTING.isin(["03", "04"])].mean() < 0.06
    told = _of_people(world, "did")
    assert (told[told.IMAGING_CODE_NICIP == "UPELV"].gender == "2").mean() > 0.75
    young = (told.DIAGNOSTIC_TEST_DATE - told.date_of_birth).dt.days < 5 * 365
    assert (told[young].MODALITY == "C").mean() < 0.06


def test_scores_of_operations_go_together_and_come_later(world: Dummy) -> None:
    scores = world["proms"]
    numbers = scores[["Q1_SCORE", "Q1_EQ5D_HEALTH_SCALE", "Q2_SCORE", "Q2_EQ5D_HEALTH_SCALE"]].astype(float).corr()
    assert numbers.iloc[0, 1] > 0.2 and numbers.iloc[2, 3] > 0.3
    told = scores[scores.Q2_SCORE.notna()]
    assert told.groupby("Q2_SATISFACTION").Q2_SCORE.mean().is_monotonic_decreasing
    died = _of_people(world, "proms").date_of_death
    whole = scores[scores.Q2_SCORE.notna()].OPERATIONDATE + pd.Timedelta(days=180)
    assert (whole <= "2024-03-31").all() and not (died[scores.Q2_SCORE.notna()] < whole).any()


def test_intensive_care_is_told_alike(world: Dummy) -> None:
    case, period = world["chess"], world["cc"]
    both = case[case.ADMITTEDTOICU == "Yes"].merge(
        period, left_on=["NHS_NUMBER", "DATEADMITTEDICU"], right_on=["PERSON_ID", "CCSTARTDATE"]
    )
    assert len(both) == (case.ADMITTEDTOICU == "Yes").sum() > 5
    first = period.merge(world["apc"], on="SUSRECID", suffixes=("", "_apc"))
    assert not first.DIAG_4_01.isin(["H259", "K029", "Z511"]).mean() > 0.03
    dead = period[period.CCDISSTAT == "08"]
    assert (dead.CCDISLOC == "06").all() and len(dead) > 5


def test_medicines_of_children_in_hospital_are_for_children(world: Dummy) -> None:
    given = world["epma_prescription"]
    young = given[given.PATIENT_AGE < 18]
    assert not young.MEDICATION_NAME.isin(["Apixaban"]).any() and (young.MEDICATION_NAME == "Enoxaparin").mean() < 0.02
    routes = given.groupby("MEDICATION_NAME").ROUTE.agg(set)
    assert routes["Prednisolone"] == routes["Apixaban"] == {"oral"} and "subcutaneous" not in routes["Paracetamol"]
    old = given[given.INITIAL_AUTHORISED_DATE < "2024-01-01"]
    assert (old.STATUS == "Inactive").mean() > 0.99


def test_groups_of_costs_follow_illnesses_and_have_one_price(world: Dummy) -> None:
    apc, paid = world["apc"], world["pbr"]
    assert not apc.SUSHRG.isin(["WF01A", "WF01B", "VB08Z"]).any()
    hips = apc[(apc.DIAG_4_01 == "M169") & apc.SUSHRG.notna() & (apc.OPERTN_4_01 == "W371")]
    assert (hips.SUSHRG == "HN12F").all() and len(hips) > 20
    assert (apc[apc.SUSHRG == "EB10E"].DIAG_4_01.str[:3] == "I21").all()
    plain = paid[paid.EXCESS_BED_DAYS == 0].groupby(["SPELL_CORE_HRG", "POINT_OF_DELIVERY"])
    assert (plain.TARIFF_INITIAL_AMOUNT_NATIONAL.nunique() == 1).all()
    both = paid.merge(apc, left_on="GENERATED_RECORD_ID", right_on="SUSRECID")
    assert (both.SPELL_CORE_HRG.fillna("") == both.SUSHRG.fillna("")).all()
    assert set(world["op"].HRG_CODE.dropna()) == {"WF01A", "WF01B"}


def test_mental_health_is_of_an_age(world: Dummy) -> None:
    referred, met = world["mhs101referral"], world["mhs201carecontact"]
    young, old = referred[referred.ageservreferrecdate < 18], referred[referred.ageservreferrecdate >= 65]
    assert not young.primreasonreferralmh.isin(["17"]).any() and not young.servteamtypereftomh.eq("A07").any()
    assert (old.servteamtypereftomh == "A07").mean() > 0.3 and referred.ageservreferrecdate.min() >= 5
    eating = _of_people(world, "mhs101referral")
    assert (eating[eating.primreasonreferralmh == "12"].gender == "2").mean() > 0.7
    assert met[~met.attendordnacode.isin(["5", "6"])].clincontdurofcarecont.isna().all()
    assert (met.carecontdate.dt.dayofweek >= 5).mean() < 0.08
    first = met.groupby("uniqservreqid").timereferandcarecontact.min()
    wait = first.groupby(referred.set_index("uniqservreqid").clinrespprioritytype).mean()
    assert wait["1"] < 3 < wait["2"] < wait["3"]
    assert world["hes_mh"].NHS_NUMBER.isin(set(world["apc"].NEWNHSNO)).all()


def test_community_contacts_have_no_metronome(world: Dummy) -> None:
    met = world["csds_carecontact"].merge(world["csds_referral"], on=["ServiceRequestID", "NHS_NUMBER"])
    days = (met.Contact_Date - met.ReferralRequest_ReceivedDate).dt.days % 7
    assert days.value_counts(normalize=True).max() < 0.25
    assert met[met.AttendanceStatus != "5"].CareContact_Duration.isna().all()
    weekend = met.Contact_Date.dt.dayofweek >= 5
    assert weekend[met.TeamType == "16"].mean() > 0.2 and weekend[met.TeamType != "16"].mean() < 0.08


def test_cancers_are_staged_and_seen_by_site(world: Dummy) -> None:
    tumours = world["av_tumour"]
    late = (
        tumours[tumours.STAGE_BEST != "U"].groupby("SITE_ICD10_O2").STAGE_BEST.agg(lambda stage: (stage == "4").mean())
    )
    assert late["C349"] > late["C509"] + 0.1
    assert (tumours.DIAGNOSISDATEBEST.dt.dayofweek >= 5).mean() < 0.08
    assert (world["sact_cycle"].START_DATE_OF_CYCLE.dt.dayofweek >= 5).mean() < 0.1
    heights = world["sact_regimen"].groupby("NHS_NUMBER").HEIGHT_AT_START_OF_REGIMEN.nunique()
    assert (heights == 1).all()


def test_antibodies_stay_and_answers_go_together(world: Dummy) -> None:
    tests = world["pillar3"]
    tests = tests[tests.TESTRESULT != "void"].sort_values("TESTSTARTDATE", kind="stable")
    before = tests.groupby("NHS_NUMBER").TESTRESULT.shift()
    assert not ((before == "positive") & (tests.TESTRESULT == "negative")).any() and before.notna().sum() > 15
    answers = world["ascs"][["q1", "q3a", "q8"]].astype(float).corr()
    assert answers.to_numpy()[[0, 0, 1], [1, 2, 2]].min() > 0.1
    asked = _of_people(world, "ascs")
    assert (asked[asked.AgeBand.isin(["1", "2", "3", "4", "5"])].PrimarySupportReason == "4").mean() > 0.3
    assert (asked[asked.AgeBand == "8"].PrimarySupportReason == "4").mean() < 0.05
    hurt = _of_people(world, "adverse_reactions")
    assert (hurt.gender == "2").mean() > 0.52


def test_wards_are_of_an_age_and_babies_are_born_there(world: Dummy) -> None:
    apc = world["apc"]
    assert (apc[apc.EPITYPE == "3"].ADMISORC == "79").all() and not (apc[apc.ADMIMETH != "82"].ADMISORC == "79").any()
    assert (apc[apc.TRETSPEF == "430"].STARTAGE_CALC >= 65).all()
    assert not apc[apc.STARTAGE_CALC < 17].TRETSPEF.isin(["300", "430"]).any()


def test_what_a_baby_has_fits_its_weight_and_its_days(world: Dummy, births: pd.DataFrame) -> None:
    born = world["apc"][(world["apc"].EPITYPE == "3")]
    codes = [column for column in born if column.startswith("DIAG_4_")]
    both = born.merge(births, left_on="NEWNHSNO", right_on="person_id_baby_deid", suffixes=("", "_mother"))
    light, early = both[codes].eq("P071").any(axis=1), both[codes].eq("P073").any(axis=1)
    assert ((both.birthweight < 2500) == light).all() and 0.03 < light.mean() < 0.15
    assert ((both.gestationlengthbirth < 259) == early).all() and early.sum() > 10
    assert (born.ADMISORC == "79").all()


def test_audits_know_what_practices_know(world: Dummy) -> None:
    known = world["gdppr"][world["gdppr"].EPISODE_CONDITION == "F"]
    ill = {code: known[code == known.CODE].groupby("NHS_NUMBER").DATE.min() for code in ("44054006", "38341003")}
    strokes = world["ssnap"].assign(first=world["ssnap"].NHS_NUMBER.map(ill["38341003"]))
    strokes = strokes[strokes.NHS_NUMBER.isin(set(world["gdppr"].NHS_NUMBER))]
    before = strokes["first"] <= strokes.S1FIRSTARRIVALDATE
    assert (strokes.S2COMHYPERTENSION[before] == "Y").mean() > 0.8
    assert (strokes.S2COMHYPERTENSION[~before] == "N").mean() > 0.8 and before.sum() > 5
    sugar = world["gdppr"][world["gdppr"].CODE == "999791000000106"]
    since = sugar.NHS_NUMBER.map(ill["44054006"]) <= sugar.DATE
    assert sugar[since].VALUE1_CONDITION.mean() > sugar[~since].VALUE1_CONDITION.mean() + 8 and since.mean() > 0.2


def test_clinics_and_wards_are_of_an_age_and_a_sex(world: Dummy) -> None:
    op, apc = world["op"], world["apc"]
    assert (op[op.TRETSPEF.isin(["501", "502", "560"])].SEX == "2").all()
    young = apc[apc.STARTAGE_CALC < 35].filter(like="DIAG_4_").stack()
    assert young.isin(["I252", "Z966", "M819"]).mean() < 0.01
    deaths = world["deaths"]
    assert not deaths[deaths.DEC_AGEC < 30].S_UNDERLYING_COD_ICD10.isin(["C61X", "F03X", "J440"]).any()


def test_illnesses_of_wear_are_not_of_the_young(world: Dummy) -> None:
    planned = world["apc"][world["apc"].ADMIMETH.isin(["11", "12", "13"])]
    worn = planned[planned.DIAG_4_01.isin(["H259", "M169", "M179", "N40X"])]
    assert (worn.STARTAGE_CALC >= 45).all() and len(worn) > 300
