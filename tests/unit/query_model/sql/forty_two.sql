-- Queries of the kind that people write, after the shapes of those that the named sources teach; none is copied.

-- 01: SmartNoise's README
SELECT sex, AVG(age) AS mean_age FROM PUMS.PUMS GROUP BY sex

-- 02: SmartNoise's samples
SELECT married, AVG(income) AS income, COUNT(*) AS n FROM PUMS.PUMS GROUP BY married

-- 03: Lomas' client
SELECT COUNT(*) AS nb_penguins, AVG(bill_length_mm) AS avg_bill FROM df

-- 04: Lomas' client
SELECT COUNT(bill_length_mm) AS n, AVG(bill_length_mm) AS avg_bl, STDDEV(bill_length_mm) AS std_bl FROM df GROUP
BY species

-- 05: Google's ZetaSQL codelab
SELECT EXTRACT(HOUR FROM time_entered) AS hour_entered, COUNT(*) AS visits FROM day_data GROUP BY EXTRACT(HOUR
FROM time_entered)

-- 06: Google's ZetaSQL codelab
SELECT Day, COUNT(*) AS visits, SUM(money_spent) AS spent FROM week_data GROUP BY Day

-- 07: ZetaSQL's manual
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS (epsilon=1.09, delta=1e-5, privacy_unit_column=id) item, COUNT(*) FROM
students GROUP BY item

-- 08: ZetaSQL's manual
SELECT item, AVG(quantity) AS average_quantity FROM view_on_professors GROUP BY item

-- 09: Snowflake's manual
SELECT key, COUNT(*) AS c, DP_INTERVAL_LOW(c) FROM T GROUP BY key

-- 10: Snowflake's manual
SELECT key, COUNT(x) AS c FROM (SELECT key, 1 + income AS x FROM t) GROUP BY key

-- 11: OpenSAFELY SQL Runner
SELECT sex, COUNT(*) AS n FROM Patient WHERE Patient_ID IN (SELECT Patient_ID FROM
AllowedPatientsWithTypeOneDissent) GROUP BY sex ORDER BY sex

-- 12: OpenSAFELY SQL Runner
SELECT DATE_TRUNC('month', ConsultationDate) AS m, COUNT(*) AS n FROM Appointment WHERE ConsultationDate >= DATE
'2022-01-01' GROUP BY 1 ORDER BY 1

-- 13: OMOP DEX01
SELECT drug_concept_id, COUNT(DISTINCT person_id) AS num_persons FROM drug_exposure WHERE drug_concept_id IN
(40165254, 40165258) GROUP BY drug_concept_id

-- 14: OMOP DEX02
SELECT year_of_exposure, age, gender, COUNT(*) AS num_persons FROM (SELECT DISTINCT de.person_id, gender,
EXTRACT(YEAR FROM drug_exposure_start_date) AS year_of_exposure, EXTRACT(YEAR FROM drug_exposure_start_date) -
year_of_birth AS age FROM drug_exposure de JOIN person p ON de.person_id = p.person_id WHERE drug_concept_id IN
(40165254)) ev GROUP BY gender, year_of_exposure, age

-- 15: OMOP DEX09
SELECT AVG(drugs), MEDIAN(drugs), STDDEV(drugs), MIN(drugs), MAX(drugs) FROM (SELECT person_id, COUNT(DISTINCT
drug_concept_id) AS drugs FROM drug_exposure WHERE drug_exposure_start_date BETWEEN DATE '2017-01-01' AND DATE
'2017-12-31' GROUP BY person_id) d

-- 16: OMOP DEX14
SELECT COUNT(DISTINCT de1.person_id) AS num_users, COUNT(DISTINCT de2.person_id) AS also_bp FROM drug_exposure
de1 LEFT JOIN drug_exposure de2 ON de1.person_id = de2.person_id AND de2.drug_concept_id = 974166 AND
de2.drug_exposure_start_date < de1.drug_exposure_end_date WHERE de1.drug_concept_id = 1539403

-- 17: OMOP DEX15
WITH statin_users AS (SELECT person_id, MIN(drug_exposure_start_date) AS index_date FROM drug_exposure WHERE
drug_concept_id IN (1539403) GROUP BY person_id) SELECT FLOOR(DATE_DIFF('day', su.index_date,
op.observation_period_end_date) / 365) AS follow_up_years, COUNT(*) AS persons FROM statin_users su JOIN
observation_period op ON su.person_id = op.person_id WHERE op.observation_period_start_date + INTERVAL 180 DAY <
su.index_date GROUP BY 1 ORDER BY 1

-- 18: OMOP DEX20
WITH t AS (SELECT person_id, MIN(drug_exposure_start_date) AS treatment_start FROM drug_exposure WHERE
drug_concept_id = 1 GROUP BY person_id), d AS (SELECT person_id, MIN(condition_start_date) AS first_diagnosis
FROM condition_occurrence WHERE condition_concept_id = 2 GROUP BY person_id) SELECT COUNT(*) AS treated FROM t
JOIN d ON t.person_id = d.person_id AND t.treatment_start >= d.first_diagnosis

-- 19: OMOP CE04
SELECT EXTRACT(YEAR FROM condition_era_start_date) AS year, CASE WHEN age < 10 THEN '0 to 9' WHEN age < 20 THEN
'10 to 19' ELSE '20+' END AS age_grp, gender, COUNT(*) AS n FROM condition_era GROUP BY year, age_grp, gender

-- 20: MIMIC's introduction
SELECT gender, COUNT(DISTINCT subject_id) FROM patients GROUP BY gender

-- 21: MIMIC's introduction
SELECT * FROM patients LIMIT 50

-- 22: MIMIC's introduction
SELECT p.subject_id, p.dob, a.hadm_id, MIN(a.admittime) OVER (PARTITION BY p.subject_id) AS first_admittime FROM
admissions a INNER JOIN patients p ON p.subject_id = a.subject_id ORDER BY a.hadm_id

-- 23: MIMIC's introduction
WITH first_admission AS (SELECT p.subject_id, p.gender, MIN(a.admittime) AS first_admittime,
MIN(DATE_PART('year', a.admittime) - DATE_PART('year', p.dob)) AS first_age FROM admissions a JOIN patients p ON
p.subject_id = a.subject_id GROUP BY p.subject_id, p.gender) SELECT CASE WHEN first_age > 89 THEN '>89' WHEN
first_age >= 14 THEN 'adult' WHEN first_age <= 1 THEN 'neonate' ELSE 'middle' END AS age_group, gender,
COUNT(subject_id) AS n FROM first_admission GROUP BY age_group, gender

-- 24: readmission, the common form
SELECT COUNT(*) FROM (SELECT subject_id, admittime, LAG(dischtime) OVER (PARTITION BY subject_id ORDER BY
admittime) AS prev FROM admissions) x WHERE admittime - prev <= INTERVAL '30' DAY

-- 25: readmission, with EXISTS
WITH mi AS (SELECT patient, MIN(admitted) AS first FROM apc WHERE diagnosis LIKE 'I21%' GROUP BY patient) SELECT
COUNT(*) AS n, SUM(CASE WHEN EXISTS (SELECT 1 FROM apc a WHERE a.patient = mi.patient AND a.admitted > mi.first
AND a.admitted <= mi.first + INTERVAL 30 DAY) THEN 1 ELSE 0 END) AS readmitted FROM mi

-- 26: length of stay
SELECT provider, COUNT(*) AS spells, AVG(days) AS mean_los, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY days) AS
median_los FROM stays WHERE admitted BETWEEN '2022-04-01' AND '2023-03-31' GROUP BY provider

-- 27: chapters of codes
SELECT LEFT(diagnosis, 3) AS chapter, COUNT(*) AS n FROM apc WHERE SUBSTRING(diagnosis, 1, 1) = 'I' GROUP BY
LEFT(diagnosis, 3) HAVING COUNT(*) > 100 ORDER BY n DESC LIMIT 20

-- 28: surveillance by week
SELECT district, DATE_TRUNC('week', onset) AS week, COUNT(*) AS cases FROM linelist WHERE status = 'confirmed'
GROUP BY district, DATE_TRUNC('week', onset) ORDER BY week

-- 29: waits in A&E, a share
SELECT org, period, SUM(CASE WHEN wait_minutes > 240 THEN 1 ELSE 0 END) * 1.0 / COUNT(*) AS breach_rate FROM ae
GROUP BY org, period

-- 30: waits in A&E, counts
SELECT org, COUNT(*) FILTER (WHERE wait_minutes > 240) AS breaches, COUNT(*) AS n FROM ae GROUP BY org

-- 31: missing values
SELECT ward, COUNT(discharge_date) AS discharged, COUNT(*) - COUNT(discharge_date) AS still_in FROM stays GROUP
BY ward

-- 32: any rows
SELECT COUNT(*), VARIANCE(age), CORR(age, income), COVAR_POP(age, income) FROM "pums"

-- 33: rollup
SELECT region, sex, COUNT(*) FROM people GROUP BY ROLLUP (region, sex)

-- 34: union
SELECT 'a' AS t, COUNT(*) FROM stays UNION ALL SELECT 'b', COUNT(*) FROM visits

-- 35: distinct values
SELECT ward, COUNT(DISTINCT diagnosis) AS kinds FROM stays GROUP BY ward

-- 36: extremes
SELECT MIN(admitted), MAX(admitted) FROM stays

-- 37: share of a total
SELECT sex, COUNT(*) * 100.0 / SUM(COUNT(*)) OVER () AS pct FROM people GROUP BY sex

-- 38: names in quotes
SELECT "Hour Entered", COUNT(*) AS N FROM Day_Data GROUP BY "Hour Entered"

-- 39: a table of people
SELECT p.region, COUNT(*) AS prescriptions, COUNT(DISTINCT rx.subject_id) AS people FROM prescriptions rx LEFT
JOIN patients p ON rx.subject_id = p.subject_id WHERE rx.dispensed >= '2023-01-01' GROUP BY p.region

-- 40: comorbidity
SELECT n_conditions, COUNT(*) AS people FROM (SELECT person_id, COUNT(DISTINCT condition) AS n_conditions FROM
conditions GROUP BY person_id) c GROUP BY n_conditions ORDER BY n_conditions

-- 41: first row, by QUALIFY
SELECT diagnosis, COUNT(*) FROM apc QUALIFY ROW_NUMBER() OVER (PARTITION BY patient ORDER BY admitted) = 1 GROUP
BY diagnosis

-- 42: people with two rows
SELECT COUNT(*) FROM (SELECT patient FROM apc GROUP BY patient HAVING COUNT(*) >= 2) x
