-- The segment of every row of a table, by the model with the digest
-- a93bffe092816ab6846af8ae0aebe1e3a096cf23dc92f5d50513400b764f97fd.
-- It computes in double precision where coterie assign rounds to single: rows that lie midway between two segments to
-- the seventh digit may get the other one. Rows that coterie assign would refuse or drop have no segment.
--   0 A SELECT 1; -- <&'" (s1)
--   1 Segment 2 (s2)
WITH input AS (
  SELECT
    `the "id"` AS id,
    CASE WHEN CAST(`age "in years"` AS FLOAT64) IS NULL OR IS_NAN(CAST(`age "in years"` AS FLOAT64)) THEN 4.1e1 WHEN CAST(`age "in years"` AS FLOAT64) BETWEEN (-3.1217485503159922e144) AND 3.1217485503159922e144 THEN CAST(`age "in years"` AS FLOAT64) END AS x0,
    CASE WHEN `age "in years"` IS NULL OR IS_NAN(CAST(`age "in years"` AS FLOAT64)) THEN 1 ELSE 0 END AS m0,
    CASE WHEN CAST(`spend` AS FLOAT64) IS NULL OR IS_NAN(CAST(`spend` AS FLOAT64)) THEN 1.9e1 WHEN CAST(`spend` AS FLOAT64) > (-1e0) AND CAST(`spend` AS FLOAT64) <= 3.1217485503159922e144 THEN CAST(`spend` AS FLOAT64) END AS x1,
    CASE WHEN `it's <education> & more` IS NULL OR CAST(`it's <education> & more` AS STRING) = '' THEN 2e0 WHEN CAST(`it's <education> & more` AS STRING) = 'school' THEN 0e0 WHEN CAST(`it's <education> & more` AS STRING) = 'it\'s' THEN 1e0 WHEN CAST(`it's <education> & more` AS STRING) = 'doctor' THEN 2e0 END AS x2,
    CAST(`gender` AS STRING) AS x3,
    CAST(`country` AS STRING) AS x4
  FROM `shop`.`customers`
),
scaled AS (
  SELECT
    id,
    (x0 - 4.01e1) / 1.23e1 AS c0,
    ((LN(1 + x1) - (-3e0)) / 1.7e0) * 2e0 AS c1,
    (x2 - 1e0) / 5e-1 AS c2,
    CASE WHEN m0 = 1 THEN 1e0 ELSE 0e0 END AS c3,
    CASE WHEN x3 IN ('f\'"\\') THEN 1e0 ELSE 0e0 END AS c4,
    CASE WHEN x3 IN ('m') THEN 1e0 ELSE 0e0 END AS c5,
    CASE WHEN x3 IS NULL THEN 1e0 ELSE 0e0 END AS c6,
    CASE WHEN x4 IN ('FR') THEN 5e-1 ELSE 0e0 END AS c7,
    CASE WHEN x4 IN ('missing') OR x4 IS NULL THEN 5e-1 ELSE 0e0 END AS c8,
    CASE WHEN x4 IN ('other', 'ES', 'IT') THEN 5e-1 ELSE 0e0 END AS c9
  FROM input
),
distances AS (
  SELECT
    id,
    (c0 - 3.7944549322128296e-1) * (c0 - 3.7944549322128296e-1) + (c1 - 7.473804950714111e-2) * (c1 - 7.473804950714111e-2) + (c2 - 2.000684142112732e-1) * (c2 - 2.000684142112732e-1) + (c3 - (-1.1253143787384032e0)) * (c3 - (-1.1253143787384032e0)) + (c4 - (-4.0058834552764894e-1)) * (c4 - (-4.0058834552764894e-1)) + (c5 - (-3.0853772163391113e0)) * (c5 - (-3.0853772163391113e0)) + (c6 - 1.9323302268981934e0) * (c6 - 1.9323302268981934e0) + (c7 - 1.7261314392089844e0) * (c7 - 1.7261314392089844e0) + (c8 - (-1.1707238107919693e-1)) * (c8 - (-1.1707238107919693e-1)) + (c9 - (-9.30331826210022e-1)) * (c9 - (-9.30331826210022e-1)) AS d0,
    (c0 - (-4.75078821182251e-2)) * (c0 - (-4.75078821182251e-2)) + (c1 - 2.2248300313949584e-1) * (c1 - 2.2248300313949584e-1) + (c2 - (-1.8363052606582642e0)) * (c2 - (-1.8363052606582642e0)) + (c3 - 7.259521245956421e-1) * (c3 - 7.259521245956421e-1) + (c4 - 8.806882977485657e-1) * (c4 - 8.806882977485657e-1) + (c5 - (-1.5022903680801392e0)) * (c5 - (-1.5022903680801392e0)) + (c6 - 5.972577393054962e-1) * (c6 - 5.972577393054962e-1) + (c7 - 1.563193678855896e0) * (c7 - 1.563193678855896e0) + (c8 - (-3.841235339641571e-1)) * (c8 - (-3.841235339641571e-1)) + (c9 - (-2.9672959446907043e-1)) * (c9 - (-2.9672959446907043e-1)) AS d1
  FROM scaled
),
nearest AS (
  SELECT distances.*, LEAST(d0, d1) AS least
  FROM distances
)
SELECT
  id,
  CASE least WHEN d0 THEN 0 WHEN d1 THEN 1 END AS segment,
  SQRT(least) AS distance
FROM nearest
