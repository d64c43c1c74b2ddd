"""
The SQL EXPLAIN panel: which statements of this page are a problem, why, and what to do; proved where it can be.

The way of a statement: ``collect`` records it during the request, ``report`` folds equal ones, ``planner`` asks one of
``databases`` for its plan, ``plans`` parses that into one tree for all engines, ``rules`` find what is wrong in the
tree, ``advice`` and ``indexes`` say it in Django's words, and ``panel``, ``page`` and ``views`` show it.
"""

PANEL_ID = "ExplainPanel"
