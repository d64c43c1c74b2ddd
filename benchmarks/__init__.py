"""
Each panel beside its peers, as ratios of process CPU time in one run: ``make bench``, or ``python -m benchmarks``.
"""
