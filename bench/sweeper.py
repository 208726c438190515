"""scikit-learn over several k: sweeper.py '{"data": …, "ks": […]}'.

Reads a Parquet table, standardises it once and fits every k, tolerances and limits as they are by default. The clock starts when all is
imported. Prints one line of JSON.
"""

import json
import sys
import time

import numpy as np
import pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

task = json.loads(sys.argv[1])
began = time.perf_counter()
x = StandardScaler().fit_transform(pq.read_table(task["data"]).to_pandas().to_numpy(dtype=np.float32))
inertias = [KMeans(k, n_init=1, random_state=0).fit(x).inertia_ for k in task["ks"]]
print(json.dumps({"seconds": time.perf_counter() - began, "inertias": inertias}))
