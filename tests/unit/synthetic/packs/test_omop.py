"""The people of the NHS-like pack in the OMOP Common Data Model: the columns of its DDL, the events of the source."""

from __future__ import annotations

import pytest

import pets
from pets.synthetic.dummy_data.dataset import Dummy

# OHDSI/CommonDataModel, inst/ddl/5.4/postgresql/OMOPCDM_postgresql_5.4_ddl.sql
DDL = {
    "person": (
        "person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime race_concept_id "
        "ethnicity_concept_id location_id provider_id care_site_id person_source_value gender_source_value "
        "gender_source_concept_id race_source_value race_source_concept_id ethnicity_source_value "
        "ethnicity_source_concept_id"
    ),
    "observation_period": (
        "observation_period_id person_id observation_period_start_date observation_period_end_date "
        "period_type_concept_id"
    ),
    "visit_occurrence": (
        "visit_occurrence_id person_id visit_concept_id visit_start_date visit_start_datetime visit_end_date "
        "visit_end_datetime visit_type_concept_id provider_id care_site_id visit_source_value "
        "visit_source_concept_id admitted_from_concept_id admitted_from_source_value discharged_to_concept_id "
        "discharged_to_source_value preceding_visit_occurrence_id"
    ),
    "condition_occurrence": (
        "condition_occurrence_id person_id condition_concept_id condition_start_date condition_start_datetime "
        "condition_end_date condition_end_datetime condition_type_concept_id condition_status_concept_id "
        "stop_reason provider_id visit_occurrence_id visit_detail_id condition_source_value "
        "condition_source_concept_id condition_status_source_value"
    ),
    "drug_exposure": (
        "drug_exposure_id person_id drug_concept_id drug_exposure_start_date drug_exposure_start_datetime "
        "drug_exposure_end_date drug_exposure_end_datetime verbatim_end_date drug_type_concept_id stop_reason "
        "refills quantity days_supply sig route_concept_id lot_number provider_id visit_occurrence_id "
        "visit_detail_id drug_source_value drug_source_concept_id route_source_value dose_unit_source_value"
    ),
    "procedure_occurrence": (
        "procedure_occurrence_id person_id procedure_concept_id procedure_date procedure_datetime "
        "procedure_end_date procedure_end_datetime procedure_type_concept_id modifier_concept_id quantity "
        "provider_id visit_occurrence_id visit_detail_id procedure_source_value procedure_source_concept_id "
        "modifier_source_value"
    ),
    "measurement": (
        "measurement_id person_id measurement_concept_id measurement_date measurement_datetime "
        "measurement_time measurement_type_concept_id operator_concept_id value_as_number value_as_concept_id "
        "unit_concept_id range_low range_high provider_id visit_occurrence_id visit_detail_id "
        "measurement_source_value measurement_source_concept_id unit_source_value unit_source_concept_id "
        "value_source_value measurement_event_id meas_event_field_concept_id"
    ),
    "observation": (
        "observation_id person_id observation_concept_id observation_date observation_datetime "
        "observation_type_concept_id value_as_number value_as_string value_as_concept_id qualifier_concept_id "
        "unit_concept_id provider_id visit_occurrence_id visit_detail_id observation_source_value "
        "observation_source_concept_id unit_source_value qualifier_source_value value_source_value "
        "observation_event_id obs_event_field_concept_id"
    ),
    "death": (
        "person_id death_date death_datetime death_type_concept_id cause_concept_id cause_source_value "
        "cause_source_concept_id"
    ),
    "location": (
        "location_id address_1 address_2 city state zip county location_source_value country_concept_id "
        "country_source_value latitude longitude"
    ),
}


@pytest.fixture(scope="module")
def world() -> Dummy:
    return pets.dummy("nhs", people=1000, seed=9, products=["omop", "hes_deaths"])


@pytest.mark.parametrize("table", DDL)
def test_columns_are_those_of_the_ddl_in_its_order(world: Dummy, table: str) -> None:
    assert world.tables[table].column_names == DDL[table].split()


def test_needed_columns_have_values(world: Dummy) -> None:
    for table, columns in DDL.items():
        for name in columns.split():
            needed = name in (f"{table}_concept_id", "person_id", f"{table}_id") or name.endswith("_type_concept_id")
            needed = needed or name in ("race_concept_id", "ethnicity_concept_id", "gender_concept_id", "death_date")
            if needed:
                assert world.tables[table].column(name).null_count == 0, (table, name)


def test_stays_appointments_and_attendances_are_visits(world: Dummy) -> None:
    visits = world["visit_occurrence"].visit_source_value.value_counts()
    assert visits["APC"] == world["apc"].PROVSPNOPS.nunique()
    assert visits["ECDS"] == len(world["ecds"])
    assert visits["OP"] == world["op"].ATTENDED.isin(["5", "6"]).sum()


def test_diagnoses_and_procedures_are_those_of_the_episodes(world: Dummy) -> None:
    conditions, procedures = world["condition_occurrence"], world["procedure_occurrence"]
    stays = conditions[conditions.visit_occurrence_id.notna()]
    apc = world["apc"]
    of = apc.melt("EPIKEY", [name for name in apc if name.startswith("DIAG_4_")]).dropna()
    assert sorted(stays.condition_source_value) == sorted(of.value)
    of = apc.melt("EPIKEY", [name for name in apc if name.startswith("OPERTN_4_")]).dropna()
    assert sorted(procedures.procedure_source_value) == sorted(of.value)
    assert stays.condition_status_source_value.eq("primary").sum() == len(apc)


def test_deaths_and_their_causes_are_those_of_the_register(world: Dummy) -> None:
    mine = world["death"].sort_values("person_id").cause_source_value.tolist()
    theirs = world["deaths"].sort_values("DEC_CONF_NHS_NUMBER").S_UNDERLYING_COD_ICD10.tolist()
    assert mine == theirs and mine


def test_a_private_question_runs_on_the_model(world: Dummy) -> None:
    session = pets.Session(world.schema, dict(world.tables), budget=pets.Budget(3, delta=1e-8), progress=False)
    query = pets.query("visit_occurrence").group_by("visit_concept_id").agg(people=pets.count_units())
    answer = session.release(query, pets.DP(epsilon=1)).table
    assert {"9201", "9202", "9203"} <= set(answer.visit_concept_id)
