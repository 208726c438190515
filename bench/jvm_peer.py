"""One fit by Spark or H2O on this machine: jvm_peer.py '{"peer": …, "data": a Parquet file, "start": …, "iterations": …, "threads": …}'.

As peer.py, but the data goes into their own cached frames first, which is not timed. Spark takes no start: its own seeding, random rows,
is in its time. Prints one line of JSON: seconds, iterations, passes, inertia.
"""

import json
import sys
import tempfile
import time

import numpy as np

HEAP = "8g"
WAIT = 60  # seconds for a virtual machine to end


def spark(task):
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    session = (SparkSession.builder.master(f"local[{task['threads']}]").config("spark.driver.memory", HEAP)
               .config("spark.ui.enabled", "false").config("spark.log.level", "ERROR").getOrCreate())
    table = session.read.parquet(task["data"])
    points = VectorAssembler(inputCols=table.columns, outputCol="features").transform(table).select("features").cache()
    points.count()
    kmeans = KMeans(k=len(np.load(task["start"])), maxIter=task["iterations"], tol=0, initMode="random", seed=1)
    began = time.perf_counter()
    model = kmeans.fit(points)
    seconds = time.perf_counter() - began
    iterations, inertia = model.summary.numIter, model.summary.trainingCost
    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # it ends with its input; only a process that was waited for counts as ours (turns.py)
    gateway.proc.wait(WAIT)
    return {"seconds": seconds, "iterations": iterations, "passes": iterations, "inertia": inertia}


def h2o(task):
    import h2o
    from h2o.estimators import H2OKMeansEstimator

    with tempfile.TemporaryDirectory() as folder:
        h2o.init(nthreads=task["threads"], max_mem_size=HEAP, ice_root=folder, bind_to_localhost=True, start_h2o=True, verbose=False)
        try:
            h2o.no_progress()
            frame = h2o.import_file(task["data"])
            start = h2o.H2OFrame(np.load(task["start"]).astype(np.float64), column_names=frame.columns)
            kmeans = H2OKMeansEstimator(k=start.nrows, user_points=start, max_iterations=task["iterations"], standardize=False)
            began = time.perf_counter()
            kmeans.train(training_frame=frame)
            seconds = time.perf_counter() - began
            iterations = len(kmeans.scoring_history()) - 1 if kmeans.scoring_history() is not None else task["iterations"]
            return {"seconds": seconds, "iterations": iterations, "passes": iterations + 1, "inertia": kmeans.tot_withinss()}
        finally:
            process = h2o.connection().local_server._process
            h2o.cluster().shutdown()
            process.wait(WAIT)


PEERS = {"pyspark": spark, "h2o": h2o}


def main():
    task = json.loads(sys.argv[1])
    print("\n" + json.dumps(PEERS[task["peer"]](task)))


if __name__ == "__main__":
    main()
