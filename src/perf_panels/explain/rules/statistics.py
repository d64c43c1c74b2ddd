"""
The SQL that refreshes what the planner knows of a table.
"""

from __future__ import annotations


def analyze_statement(engine: str, table: str) -> str:
    """
    Return the SQL that refreshes a table's statistics. On MySQL and MariaDB it commits, so it is never run by us.
    """
    if engine in {"mysql", "mariadb"}:
        return f"ANALYZE TABLE `{table}`;"
    if engine == "oracle":
        return f"EXEC DBMS_STATS.GATHER_TABLE_STATS(USER, '{table}');"
    return f'ANALYZE "{table}";'
