"""Benchmarks: how this package compares with the plainest way to do the same, in one run on one machine.

Every module directly in this folder is a benchmark: it has ``run(services)`` and returns
:class:`~bench.tools.ratios.Ratio` objects. Times of a machine mean nothing on another one, ratios nearly do.
``python -m bench`` runs all of them, ``python -m bench gap_detection`` one.
"""
