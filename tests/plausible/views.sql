-- What several rates read. Only columns that are in the written tables, and nothing of how they were made.
CREATE VIEW years AS SELECT unnest(['1920', '2021', '2122', '2223', '2324']) AS fyear,
  unnest([DATE '2019-10-01', DATE '2020-10-01', DATE '2021-10-01', DATE '2022-10-01', DATE '2023-10-01']) AS middle;
-- everybody who is alive in the middle of a financial year, with the age then
CREATE VIEW alive AS SELECT y.fyear, d.nhs_number AS person, d.imd_decile AS decile,
  date_sub('year', d.date_of_birth, y.middle) AS age
  FROM demographics d, years y
  WHERE d.date_of_birth <= y.middle AND (d.date_of_death IS NULL OR d.date_of_death >= y.middle);
-- everybody who is alive in the middle of 2023
CREATE VIEW people AS SELECT *, date_sub('year', date_of_birth, DATE '2023-06-30') AS age FROM demographics
  WHERE date_of_birth <= DATE '2023-06-30' AND (date_of_death IS NULL OR date_of_death >= DATE '2023-06-30');
-- admissions: the first episode, with the end of the last one
CREATE VIEW spells AS SELECT f.NEWNHSNO AS person, f.ADMIDATE AS admitted, l.DISDATE AS discharged,
  f.ADMIMETH AS method, f.ADMIMETH LIKE '2%' AS emergency, f.CLASSPAT AS class, l.SPELDUR AS days, l.DISMETH AS how,
  f.DIAG_4_01 AS primary_code, left(f.DIAG_4_01, 3) AS illness, f.STARTAGE_CALC AS age, f.ELECDUR AS waited,
  f.EPITYPE AS kind, f.OPERTN_4_01 AS operation, f.FYEAR AS fyear
  FROM (SELECT * FROM apc WHERE EPIORDER = 1) f
  JOIN (SELECT * FROM apc WHERE SPELDUR IS NOT NULL) l ON left(f.EPIKEY, 10) = left(l.EPIKEY, 10);
-- admissions that can be followed by a readmission, as NHS Digital's indicator (P00909) defines them: discharged alive,
-- neither day cases nor obstetric nor with cancer (day cases were counted when the rates were first written)
CREATE VIEW leaving AS SELECT * FROM spells
  WHERE how <> '4' AND class = '1' AND method NOT IN ('31', '32', '82', '83') AND primary_code NOT LIKE 'O%'
  AND primary_code NOT LIKE 'C%' AND primary_code <> 'Z511' AND discharged <= DATE '2024-03-01';
CREATE VIEW readmitted AS SELECT a.*, EXISTS (SELECT 1 FROM spells b WHERE b.person = a.person AND b.emergency
    AND b.admitted >= a.discharged AND b.admitted <= a.discharged + 30 AND b.admitted > a.admitted) AS again,
  d.imd_decile AS decile FROM leaving a JOIN demographics d ON d.nhs_number = a.person;
-- persons with an emergency admission in a financial year
CREATE VIEW emergencies AS SELECT a.fyear, a.age, a.decile, a.person IN
  (SELECT s.person FROM spells s WHERE s.emergency AND s.fyear = a.fyear) AS came FROM alive a;
CREATE VIEW visits AS SELECT e.*, d.imd_decile AS decile FROM ecds e JOIN demographics d USING (nhs_number);
CREATE VIEW tests AS SELECT *, year(SPECIMEN_DATE) || 'Q' || quarter(SPECIMEN_DATE) AS quarter,
  100.0 * (TEST_RESULT = 'Positive')::int AS positive FROM sgss;
-- every diagnosis of an episode
CREATE VIEW told AS SELECT * FROM (UNPIVOT (SELECT NEWNHSNO AS person, COLUMNS('DIAG_4_.*') FROM apc) ON COLUMNS('DIAG_4_.*') INTO NAME place VALUE code);
-- how long people of a tenth live by its death rates: a life table of bands of five years, the last from 90
CREATE VIEW expectancy AS
  WITH lived AS (SELECT gender AS sex, a.decile, least(a.age // 5, 18) AS band, count(*) AS years
      FROM alive a JOIN demographics d ON d.nhs_number = a.person GROUP BY ALL),
    died AS (SELECT gender AS sex, imd_decile AS decile, least(DEC_AGEC // 5, 18) AS band, count(*) AS deaths
      FROM deaths JOIN demographics ON nhs_number = DEC_CONF_NHS_NUMBER GROUP BY ALL),
    rate AS (SELECT *, greatest(coalesce(deaths, 0) / years, 1e-9) AS m FROM lived LEFT JOIN died USING (sex, decile, band)),
    left_over AS (SELECT *, exp(-5 * (sum(m) OVER (PARTITION BY sex, decile ORDER BY band) - m)) AS s FROM rate)
  SELECT sex, decile, sum(CASE WHEN band = 18 THEN s / m ELSE s * (1 - exp(-5 * m)) / m END) AS years
  FROM left_over WHERE sex IN ('1', '2') GROUP BY sex, decile;
