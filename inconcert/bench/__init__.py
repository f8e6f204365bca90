"""Benchmarks: speed with a yardstick in the same run, accuracy on simulated worlds."""
