"""
The line profiler panel: which line of this page is slow, and, one level deeper with each click, why.

``collect`` chooses the functions (``functions``, ``selection``) and times their lines with one of the ``engines``;
``timings`` is what comes out of it, whichever engine it was; ``report`` makes of it what the panel stores; ``panel``,
``page`` and ``views`` show it.
"""

PANEL_ID = "LineProfilerPanel"
