"""Scores rows with DuckDB or a PMML evaluator. Standard input: {"kind", "cases": [{"model", "columns": [[name, type]], "rows"}]}.

Standard output: for each case, for each row, [segment, distance], or [null, null] where it has none.
"""
import json
import sys


def duck(case):
    import duckdb

    con = duckdb.connect()
    quoted = ", ".join('"%s" %s' % (name.replace('"', '""'), kind) for name, kind in case["columns"])
    con.execute("create table customers (customer_id bigint, %s)" % quoted)
    marks = ", ".join("?" for _ in range(len(case["columns"]) + 1))
    con.executemany("insert into customers values (%s)" % marks, [[i] + row for i, row in enumerate(case["rows"])])
    return [[s, d] for _, s, d in sorted(con.execute(case["model"]).fetchall())]


def pmml(case):
    from pypmml import Model

    model = Model.fromString(case["model"])
    found = []
    for row in case["rows"]:
        out = model.predict(dict(zip([name for name, _ in case["columns"]], row)))
        segment = out.get("segment")
        found.append([None, None] if segment is None else [int(segment), out["distance"]])
    return found


asked = json.load(sys.stdin)
json.dump([{"duckdb": duck, "pypmml": pmml}[asked["kind"]](case) for case in asked["cases"]], sys.stdout)
