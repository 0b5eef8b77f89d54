"""A match on two executors: ``python -m engines.spark_cluster FOLDER`` prints, as JSON, what came and who worked."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from asknown.engines.spark import Spark
from asknown.errors import Where
from asknown.project.nodes import Target
from asknown.project.options import SparkOptions

KEYS, EVENTS, MOMENTS = 200, 40_000, 8_000
START = datetime(2024, 1, 1)
UNION = """
SELECT k, t, seen FROM (
  SELECT k, t, asks, MAX(seen) OVER (PARTITION BY k ORDER BY t, asks ROWS UNBOUNDED PRECEDING) AS seen FROM (
    SELECT k, t, 0 AS asks, t AS seen FROM {events} UNION ALL
    SELECT k, t, 1 AS asks, CAST(NULL AS TIMESTAMP_NTZ) AS seen FROM {moments}
  ) AS everything
) AS carried WHERE asks = 1 ORDER BY k, t
"""


def tables() -> tuple[pa.Table, pa.Table]:
    """Events and moments: keys and instants, spread by multiplication."""

    def spread(rows: int, by: int) -> pa.Table:
        keys = [place * by % KEYS for place in range(rows)]
        instants = [START + timedelta(seconds=place * by % 1_000_003) for place in range(rows)]
        return pa.table({"k": pa.array(keys, pa.int32()), "t": pa.array(instants, pa.timestamp("us"))})

    return spread(EVENTS, 7919), spread(MOMENTS, 104_729)


def run(folder: Path) -> dict[str, object]:
    """The match by a cluster of two executors, each a process with one core."""
    settings = {"spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "4"}
    settings["spark.sql.warehouse.dir"] = str(folder / "warehouse")
    target = Target("cluster", SparkOptions(master="local-cluster[2,1,1024]", settings=settings), Where("profiles.yml"))
    engine = Spark(target, folder)
    try:
        events, moments = (engine.load_spine(table).relation for table in tables())
        sql = UNION.format(events=events, moments=moments)
        plan = engine.explain(sql)
        rows = engine.rows(sql)
        context = engine._session.sparkContext
        executors = context._jsc.sc().statusStore().executorList(False)
        work = {}
        for place in range(executors.size()):
            executor = executors.apply(place)
            if executor.id() != "driver":
                work[executor.id()] = executor.completedTasks()
        return {
            "rows": len(rows),
            "answered": sum(seen is not None for *_, seen in rows),
            "ages": sum((t - seen).total_seconds() for _, t, seen in rows if seen is not None),
            "work": work,
            "one partition": "SinglePartition" in plan,
        }
    finally:
        engine.close()


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
