"""What an analyst does with scikit-learn: analyst.py '{"data": …, "start": … or "runs": …, "labels": …}'.

Reads a table, standardises, fits, writes the labels. The clock starts when all is imported. Prints one line of JSON.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

task = json.loads(sys.argv[1])
began = time.perf_counter()
table = pd.read_csv(task["data"], dtype=np.float32) if task["data"].endswith(".csv") else pq.read_table(task["data"]).to_pandas()
x = table.to_numpy(dtype=np.float32)
scaler = StandardScaler().fit(x)
if "start" in task:
    start = scaler.transform(np.load(task["start"]))
    fit = KMeans(len(start), init=start, n_init=1)
else:
    fit = KMeans(task["k"], n_init=task["runs"], random_state=0)
fit.fit(scaler.transform(x))
pq.write_table(pa.table({"id": np.arange(len(x)), "segment": fit.labels_}), task["labels"])
print(json.dumps({"seconds": time.perf_counter() - began, "iterations": fit.n_iter_, "inertia": fit.inertia_}))
