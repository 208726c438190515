-- The segment of every row of a table, by the model with the digest
-- 4deaa9efc2a55f26c4ec505bb91342706593568fc55c9e21d78f1b8d22ceb9ef.
-- It computes in double precision where coterie assign rounds to single: rows that lie midway between two segments to
-- the seventh digit may get the other one. Rows that coterie assign would refuse or drop have no segment.
--   0 A SELECT 1; -- <&'" (s1)
--   1 Segment 2 (s2)
WITH input AS MATERIALIZED (
  SELECT
    "the ""id""" AS id,
    CASE WHEN CAST("age ""in years""" AS DOUBLE PRECISION) BETWEEN (-3.1217485503159922e144) AND 3.1217485503159922e144 THEN CAST("age ""in years""" AS DOUBLE PRECISION) END AS x0,
    CASE WHEN CAST("spend" AS DOUBLE PRECISION) > (-1e0) AND CAST("spend" AS DOUBLE PRECISION) <= 3.1217485503159922e144 THEN CAST("spend" AS DOUBLE PRECISION) END AS x1,
    CASE WHEN CAST("it's <education> & more" AS VARCHAR) = 'school' THEN 0e0 WHEN CAST("it's <education> & more" AS VARCHAR) = 'it''s' THEN 1e0 WHEN CAST("it's <education> & more" AS VARCHAR) = 'doctor' THEN 2e0 END AS x2,
    CAST("gender" AS VARCHAR) AS x3,
    CAST("country" AS VARCHAR) AS x4
  FROM "shop"."customers"
),
scaled AS MATERIALIZED (
  SELECT
    id,
    (x0 - 4.01e1) / 1.23e1 AS c0,
    ((LN(1 + x1) - (-3e0)) / 1.7e0) * 2e0 AS c1,
    (x2 - 1e0) / 5e-1 AS c2,
    CASE WHEN x3 IN ('f''"\') THEN 1e0 WHEN x3 IS NOT NULL THEN 0e0 END AS c3,
    CASE WHEN x3 IN ('m') THEN 1e0 WHEN x3 IS NOT NULL THEN 0e0 END AS c4,
    CASE WHEN x4 IN ('FR') THEN 5e-1 WHEN x4 IS NOT NULL THEN 0e0 END AS c5,
    CASE WHEN x4 IN ('missing') THEN 5e-1 WHEN x4 IS NOT NULL THEN 0e0 END AS c6,
    CASE WHEN x4 IN ('other', 'ES', 'IT') THEN 5e-1 WHEN x4 IS NOT NULL THEN 0e0 END AS c7
  FROM input
),
measured AS MATERIALIZED (
  SELECT scaled.*, SQRT(c0 * c0 + c1 * c1 + c2 * c2 + c3 * c3 + c4 * c4 + c5 * c5 + c6 * c6 + c7 * c7) AS length
  FROM scaled
),
normalised AS MATERIALIZED (
  SELECT
    id,
    c0 / NULLIF(length, 0) AS c0,
    c1 / NULLIF(length, 0) AS c1,
    c2 / NULLIF(length, 0) AS c2,
    c3 / NULLIF(length, 0) AS c3,
    c4 / NULLIF(length, 0) AS c4,
    c5 / NULLIF(length, 0) AS c5,
    c6 / NULLIF(length, 0) AS c6,
    c7 / NULLIF(length, 0) AS c7
  FROM measured
),
distances AS MATERIALIZED (
  SELECT
    id,
    (c0 - 8.981272578239441e-2) * (c0 - 8.981272578239441e-2) + (c1 - 1.7690093815326685e-2) * (c1 - 1.7690093815326685e-2) + (c2 - 4.735512658953667e-2) * (c2 - 4.735512658953667e-2) + (c3 - (-2.663559436798096e-1)) * (c3 - (-2.663559436798096e-1)) + (c4 - (-9.481711685657501e-2)) * (c4 - (-9.481711685657501e-2)) + (c5 - (-7.302923202514648e-1)) * (c5 - (-7.302923202514648e-1)) + (c6 - 4.5737224817276e-1) * (c6 - 4.5737224817276e-1) + (c7 - 4.0856608748435974e-1) * (c7 - 4.0856608748435974e-1) AS d0,
    (c0 - (-4.1751712560653687e-2)) * (c0 - (-4.1751712560653687e-2)) + (c1 - (-3.317858040332794e-1)) * (c1 - (-3.317858040332794e-1)) + (c2 - (-1.6942821443080902e-2)) * (c2 - (-1.6942821443080902e-2)) + (c3 - 7.934449911117553e-2) * (c3 - 7.934449911117553e-2) + (c4 - (-6.548846364021301e-1)) * (c4 - (-6.548846364021301e-1)) + (c5 - 2.588975429534912e-1) * (c5 - 2.588975429534912e-1) + (c6 - 3.140813708305359e-1) * (c6 - 3.140813708305359e-1) + (c7 - (-5.357643365859985e-1)) * (c7 - (-5.357643365859985e-1)) AS d1
  FROM normalised
),
nearest AS MATERIALIZED (
  SELECT distances.*, LEAST(d0, d1) AS least
  FROM distances
)
SELECT
  id,
  CASE least WHEN d0 THEN 0 WHEN d1 THEN 1 END AS segment,
  least / 2 AS distance
FROM nearest
