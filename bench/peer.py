"""One fit by one of the peers, in a process of its own: peer.py '{"peer": …, "data": …, "start": …, "iterations": …, "threads": …}'.

Libraries bring OpenMP and BLAS runtimes of their own, which do not always live in peace in one process; and one that fails
takes only its row of the table along. What is timed is the fit with the labels of the final centroids, not the reading.
Prints one line of JSON: seconds, processor seconds in them, iterations, inertia.
"""

import json
import os
import resource
import sys
import time

import numpy as np

ROWS = 1 << 18  # rows whose distances are summed at a time


def scikit_learn(x, start, task):
    from sklearn.cluster import KMeans

    return estimator(KMeans, x, start, task)


def intelex(x, start, task):
    from sklearnex.cluster import KMeans

    return estimator(KMeans, x, start, task)


def estimator(kmeans, x, start, task):
    """With runs, as many random starts instead of the one given. A warm-up on a few rows starts the threads; they stay."""
    kmeans(2, init=start[:2], n_init=1, max_iter=2).fit(x[:4096])
    init = {"init": "random", "n_init": task["runs"], "random_state": 0} if "runs" in task else {"init": start, "n_init": 1}

    def fit():
        done = kmeans(len(start), max_iter=task["iterations"], tol=0, algorithm="lloyd", **init).fit(x)
        # Where no label has changed it needs no last pass for the labels.
        last = done.n_iter_ == task["iterations"]
        return done.n_iter_, done.n_iter_ + last, done.cluster_centers_, done.labels_

    return fit


def faiss(x, start, task):
    import faiss

    faiss.omp_set_num_threads(task["threads"])

    def fit(x=x, start=start, iterations=task["iterations"]):
        # Without the raised limit it would sample 256 rows a centroid.
        kmeans = faiss.Kmeans(x.shape[1], len(start), niter=iterations, nredo=1, max_points_per_centroid=len(x), min_points_per_centroid=1)
        kmeans.train(x, init_centroids=start)
        _, labels = kmeans.index.search(x, 1)
        return len(kmeans.iteration_stats), len(kmeans.iteration_stats) + 1, kmeans.centroids, labels[:, 0]

    fit(x[:4096], start[:2], 2)
    return fit


def superkmeans(x, start, task):
    """It is not exact and takes no start. All rows, all iterations; it keeps labels, so that they cost it no pass."""
    from superkmeans import SuperKMeans

    def fit():
        kmeans = SuperKMeans(len(start), x.shape[1], hierarchical=False, iters=task["iterations"], sampling_fraction=1.0, max_points_per_cluster=len(x),
                             n_threads=task["threads"], tol=0, early_termination=False)
        centroids = kmeans.train(x)
        return task["iterations"], task["iterations"], centroids, kmeans

    return fit


PEERS = {"scikit-learn": scikit_learn, "scikit-learn-intelex": intelex, "faiss-cpu": faiss, "superkmeans": superkmeans}


def inertia(x, centroids, labels):
    """The same sum for every peer, in float64."""
    total = 0.0
    for i in range(0, len(x), ROWS):
        away = x[i : i + ROWS].astype(np.float64) - centroids[labels[i : i + ROWS]]
        total += float(np.einsum("ij,ij->", away, away))
    return total


def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    task = json.loads(sys.argv[1])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["threads"]])  # before a library counts the processors
    x, start = np.load(task["data"]), np.load(task["start"])
    fit = PEERS[task["peer"]](x, start, task)
    before, began = spent(), time.perf_counter()
    iterations, passes, centroids, labels = fit()
    seconds, cpu = time.perf_counter() - began, spent() - before
    if hasattr(labels, "assign"):
        labels = labels.assign(x, centroids)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "iterations": int(iterations), "passes": int(passes), "inertia": inertia(x, np.asarray(centroids), np.asarray(labels))}))


if __name__ == "__main__":
    main()
