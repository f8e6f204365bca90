"""`bench accuracy`: findings against the truth of simulated worlds, beside other methods."""

from inconcert.bench.accuracy.run import Plan, bench_accuracy

__all__ = ["Plan", "bench_accuracy"]
