from __future__ import annotations

import pytest

from perf_panels.explain.databases import permissions
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.classify import check_with_values, classify, facts_of
from perf_panels.explain.databases.harmless import is_harmless, is_irrevocable
from perf_panels.explain.databases.tokens import UnreadableError, tokens

ENGINES = ["postgresql", "mysql", "mariadb", "sqlite", "oracle"]


def facts(sql, engine="postgresql", *, placeholders=False):
    return classify(sql, engine, placeholders=placeholders)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "SELECT"),
        ("select 1", "SELECT"),
        ("  ((SELECT 1) UNION (SELECT 2))", "SELECT"),
        ("/* a */ -- b\n SELECT 1", "SELECT"),
        ("VALUES (1)", "VALUES"),
        ("TABLE t", "TABLE"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
        ("WITH a AS (SELECT 1) (SELECT * FROM a)", "SELECT"),
        ("WITH a AS (SELECT 1), b (x) AS (SELECT 2) DELETE FROM t", "DELETE"),
        ("WITH RECURSIVE a (n) AS (SELECT 1 UNION ALL SELECT n FROM a) INSERT INTO t SELECT n FROM a", "INSERT"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ('DECLARE "_django_curs_1_sync_2" NO SCROLL CURSOR WITH HOLD FOR SELECT 1', "SELECT"),
    ],
)
def test_the_kind_is_the_first_word_behind_comments_parentheses_and_ctes(sql, kind, engine):
    found = facts(sql, engine)

    assert (found.kind, found.refusal) == (kind, None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "sql",
    [
        "EXPLAIN SELECT 1", "SET a = 1", "COPY t TO STDOUT", "CALL p()", "CREATE TABLE t (a int)", "DROP TABLE t",
        "SAVEPOINT a", "BEGIN", "COMMIT", "ROLLBACK", "TRUNCATE t", "VACUUM", "LOCK TABLE t", "PRAGMA foreign_keys",
        "DO 1", "GRANT ALL ON t TO u", "PREPARE a FROM 'b'", "EXECUTE a", "ANALYZE t", "DECLARE a", "", "()", "-- a",
        "SELECT 1; SELECT 2", "SELECT 1;;", "; SELECT 1", "SELECT 1; -- a\n; SELECT 2", "SELECT a INTO b FROM c",
        "SELECT 1 AS fail INTO OUTFILE '/tmp/x'", "SELECT (1) replace INTO b", "SELECT a ignore INTO @x FROM t",
        "SELECT 'a", 'SELECT "a', "SELECT /* a", "SELECT 1 \x00",
    ],
)  # fmt: skip
def test_all_else_is_refused_with_a_sentence(sql, engine):
    refusal = facts(sql, engine).refusal

    assert refusal is not None
    assert refusal[0].isupper()
    assert refusal.endswith(".")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "sql",
    ["SELECT 1;", "SELECT 1 ; -- a", "SELECT ';'", "SELECT 1 /* ; */", "SELECT 1 -- ;", "SELECT 'it''s; ok' AS a"],
)
def test_a_semicolon_at_the_end_or_in_a_string_or_comment_is_none(sql, engine):
    assert facts(sql, engine).refusal is None


def test_a_semicolon_at_the_end_is_left_out():
    assert facts("SELECT 1 ; -- a").text == "SELECT 1"


@pytest.mark.parametrize(
    ("engine", "sql", "refused"),
    [
        ("postgresql", "SELECT $$ ; $$, $a$ ; $$ ; $a$", False),
        ("postgresql", "SELECT $a$ ; $b$; SELECT 1", True),
        ("postgresql", "SELECT a$$ ; $$", True),
        ("postgresql", "SELECT $1$$ ; $$", False),
        ("postgresql", "SELECT E'\\'; '", False),
        ("postgresql", "SELECT '\\'; SELECT '", True),
        ("postgresql", "SELECT nameE'\\'; '", True),
        ("postgresql", "SELECT 1E'\\'; '", False),
        ("postgresql", "SELECT /* /* */ ; */ 1", False),
        ("postgresql", "SELECT /* /* /* /* /* */ */ */ */ ; */ 1", False),
        ("postgresql", "SELECT 1 -- a\r; SELECT 2", True),
        ("postgresql", "SELECT 1 # 2; SELECT 3", True),
        ("postgresql", "SELECT `a;b`", True),
        ("mysql", "SELECT '\\'; '", False),
        ("mysql", 'SELECT "\\"; "', False),
        ("mysql", "SELECT 'a\\\\'; SELECT '", True),
        ("mysql", "SELECT `a;b`", False),
        ("mysql", "SELECT 1 # ; a\n", False),
        ("mysql", "SELECT 1 --1; SELECT 2", True),
        ("mysql", "SELECT 1 -- ;", False),
        ("mysql", "SELECT 1 --", False),
        ("mysql", "SELECT /* /* */ ; */ 1", True),
        ("mysql", "SELECT $$ ; $$", True),
        ("mysql", "SELECT 1 /*!50000 , 2 */", True),
        ("mariadb", "SELECT 1 /*M!100000 , 2 */", True),
        ("mariadb", "SELECT 1 /*+ NO_ICP(t) */", False),
        ("sqlite", 'SELECT [a;b], `a;b`, "a;b"', False),
        ("sqlite", "SELECT '\\'; SELECT '", True),
        ("sqlite", "SELECT 1 # ; SELECT 2", True),
        ("oracle", "SELECT q'[;']', q'!it's;!', nq'(;)' FROM dual", False),
        ("oracle", "SELECT q'[a]'; b]' FROM dual", True),
    ],
)  # fmt: skip
def test_strings_and_comments_end_where_the_server_ends_them(engine, sql, refused):
    assert (facts(sql, engine).refusal is not None) is refused


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
        "WITH a AS MATERIALIZED (UPDATE t SET x = 1 RETURNING *) SELECT * FROM a",
        "WITH a AS (WITH b AS (SELECT 1) INSERT INTO t SELECT * FROM b RETURNING *) SELECT * FROM a",
        "WITH a AS (SELECT 1) SEARCH DEPTH FIRST BY values SET o DELETE FROM t",
        "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
    ],
)
def test_a_statement_that_changes_rows_anywhere_is_a_write(sql):
    assert facts(sql).writes


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM t FOR UPDATE",
     'SELECT insert, "delete" FROM t', "SELECT 'DELETE FROM t'", "SELECT replace(a, b, c)"],
)  # fmt: skip
def test_words_alone_are_no_writes(sql):
    assert not facts(sql).writes


@pytest.mark.parametrize(
    "end",
    ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE", "FOR UPDATE OF t NOWAIT", "LOCK IN SHARE MODE"],
)
def test_row_locks_are_known(end):
    assert facts(f"SELECT * FROM t {end}").locks
    assert not facts("SELECT substring(a FOR 3) FROM t").locks


@pytest.mark.parametrize(
    ("engine", "sql", "functions"),
    [
        ("postgresql", 'SELECT count(*), lower(a), pg_catalog.upper(b), "lower"(c) FROM t', ()),
        ("postgresql", "SELECT a::numeric(10, 2), CAST(a AS varchar(5)), a IN (1), EXISTS (SELECT 1)", ()),
        ("postgresql", "SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d) FROM t AS u (a, b)", ()),
        ("postgresql", "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING RETURNING (a)", ()),
        ("postgresql", "INSERT INTO public.t (a) VALUES (1)", ()),
        ("postgresql", "WITH RECURSIVE a (n) AS (SELECT 1) SELECT n FROM a", ()),
        ("postgresql", "SELECT DISTINCT ON (a) mine(b) FROM t", ("mine",)),
        ("postgresql", "SELECT a OPERATOR(pg_catalog.+) mine(b) FROM t", ("operator", "mine")),
        ("postgresql", "SELECT public.lower(a)", ("public.lower",)),
        ("postgresql", 'SELECT "Lower"(a)', ("Lower",)),
        ("postgresql", "SELECT NEXTVAL ('s'), setval('s', 1), pg_advisory_xact_lock(1), pg_sleep(1), set_config('a')",
         ("nextval", "setval", "pg_advisory_xact_lock", "pg_sleep", "set_config")),
        ("postgresql", "SELECT pg_terminate_backend(1), lo_create(0), dblink('a', 'b'), dblink_exec('c')",
         ("pg_terminate_backend", "lo_create", "dblink", "dblink_exec")),
        ("postgresql", "SELECT 1 %sleep(1), %%mine(2), %s", ("leep", "mine")),
        ("mariadb", "SELECT SLEEP(1), GET_LOCK('a', 1), RELEASE_LOCK('a'), BENCHMARK(1, 2), LOAD_FILE('a')",
         ("sleep", "get_lock", "release_lock", "benchmark", "load_file")),
        ("mariadb", "SELECT NEXT VALUE FOR s, PREVIOUS VALUE FOR s, t.nextval", ("nextval", "lastval")),
        ("mariadb", "SELECT `lower`(a), shop.lower(b)", ("lower", "shop.lower")),
        ("mariadb", "SELECT * FROM t USE INDEX (a) PARTITION (p0) WHERE MATCH (a) AGAINST ('b') GROUP BY DATE(a)", ()),
        ("sqlite", "SELECT django_date_trunc('year', a), json_extract(a, b), [django_date_trunc](a) FROM t", ()),
        ("sqlite", "SELECT load_extension('a'), mine(1)", ("load_extension", "mine")),
    ],
)  # fmt: skip
def test_functions_that_are_not_known_are_named(engine, sql, functions):
    assert facts(sql, engine, placeholders="%s" in sql).functions == functions


def test_functions_of_derived_tables_are_found_but_not_plain_aggregates():
    assert facts("SELECT COUNT(*) FROM (SELECT COUNT(a) FROM t GROUP BY b) x", "mariadb").derived_calls == ()
    assert facts("SELECT * FROM (SELECT LOWER(a) FROM t) x", "mariadb").derived_calls == ("lower",)
    assert facts("SELECT LOWER(a) FROM t WHERE b IN (SELECT LOWER(c) FROM u)", "mariadb").derived_calls == ()


def test_placeholders_are_only_looked_for_where_there_are_parameters():
    assert [token.kind for token in tokens("a %s %(b)s", "postgresql", placeholders=True)] == [
        "word", "placeholder", "placeholder",
    ]  # fmt: skip
    assert "placeholder" not in {token.kind for token in tokens("a %s", "postgresql", placeholders=False)}


@pytest.mark.parametrize("sent", ["DELETE FROM t", "SELECT 1; SELECT 2", "SELECT f(1)", "SELECT * FROM t FOR UPDATE"])
def test_a_value_that_makes_another_statement_is_refused(sent):
    with pytest.raises(NotPossible):
        check_with_values(sent, facts("SELECT %s", placeholders=True), "postgresql")


@pytest.mark.parametrize("params", [(number for number in ()), iter([]), {1}, "ab", 5])
def test_parameters_that_are_no_list_cannot_be_sent_again(params):
    found = facts_of("SELECT %s", params, "sqlite")

    assert "used up" in found.refusal
    assert permissions.to_explain(found, "sqlite", automatic=False).verdict == "no"


def test_composed_sql_of_psycopg_is_text():
    sql = pytest.importorskip("psycopg.sql")

    found = facts_of(sql.SQL("SELECT {}").format(sql.Identifier("a;b")), None, "postgresql")

    assert (found.text, found.refusal) == ('SELECT "a;b"', None)


def test_what_a_driver_cannot_turn_into_text_is_refused():
    class Composed:
        def as_string(self, context):
            raise TypeError("argument 2 must be a connection or a cursor")

    found = facts_of(Composed(), None, "postgresql")

    assert found.refusal == "Composed gave no text: argument 2 must be a connection or a cursor"


def test_names_in_quotes_are_no_keywords():
    found = facts('SELECT "into", "for" "update" FROM "t;u"')

    assert found.refusal is None
    assert not found.locks
    assert found.tables == ("t;u",)


def test_a_long_statement_is_read_in_no_time():
    sql = "SELECT * FROM t WHERE a IN ({})".format(", ".join(["'it''s'"] * 20_000))

    assert facts(sql).refusal is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", ["'" + "a''" * 5_000, '"' + 'a""' * 5_000, "/*" * 5_000, "'" + "\\'" * 5_000])
def test_what_is_not_closed_costs_no_time_either(engine, text):
    with pytest.raises(UnreadableError):
        tokens(text, engine, placeholders=False)


@pytest.mark.parametrize(
    ("engine", "sql", "explain", "automatic", "analyze"),
    [
        ("postgresql", "SELECT * FROM t", "yes", "yes", "yes"),
        ("postgresql", "SELECT f(a) FROM t", "yes", "no", "warn"),
        ("postgresql", "DELETE FROM t", "yes", "yes", "confirm"),
        ("postgresql", "DELETE FROM t WHERE f(a)", "yes", "no", "confirm"),
        ("postgresql", "SELECT * FROM t FOR UPDATE", "yes", "yes", "confirm"),
        ("postgresql", "SELECT f(a) FROM t FOR UPDATE", "yes", "no", "no"),
        ("postgresql", "SELECT pg_terminate_backend(1)", "yes", "no", "no"),
        ("postgresql", "SELECT dblink_exec('a')", "yes", "no", "no"),
        ("postgresql", "CALL p()", "no", "no", "no"),
        ("mariadb", "SELECT * FROM t", "yes", "yes", "yes"),
        ("mariadb", "SELECT f(a) FROM t", "warn", "no", "warn"),
        ("mariadb", "SELECT * FROM (SELECT LOWER(a) FROM t) x", "yes", "no", "yes"),
        ("mariadb", "DELETE FROM t", "yes", "no", "confirm"),
        ("mariadb", "DELETE FROM t WHERE f(a)", "no", "no", "no"),
        ("mariadb", "SELECT * FROM t FOR UPDATE", "yes", "no", "confirm"),
        ("mysql", "DELETE FROM t", "yes", "no", "no"),
        ("mysql", "SELECT * FROM t", "yes", "yes", "yes"),
        ("sqlite", "DELETE FROM t", "yes", "yes", "no"),
        ("sqlite", "SELECT f(a) FROM t", "yes", "yes", "warn"),
        ("oracle", "SELECT * FROM t", "yes", "yes", "no"),
    ],
)
def test_what_each_engine_lets_be_done(engine, sql, explain, automatic, analyze):
    found = facts(sql, engine)

    assert permissions.to_explain(found, engine, automatic=False).verdict == explain
    assert permissions.to_explain(found, engine, automatic=True).verdict == automatic
    assert permissions.to_analyze(found, engine).verdict == analyze


@pytest.mark.parametrize("verdict", ["warn", "confirm"])
def test_a_warning_needs_its_click(verdict):
    permission = permissions.Permission(verdict, ("First this.", "Then that."))

    permissions.require(permission, Options(confirmed=True))
    with pytest.raises(NotPossible, match=r"First this\. Then that\."):
        permissions.require(permission, Options())


def test_many_functions_are_cut_short():
    assert permissions.named(tuple("abcdefg")) == "a(), b(), c(), d(), e() and 2 more"


def test_no_harmless_function_is_irrevocable():
    for engine in ENGINES:
        assert is_harmless("lower", engine)
        assert not is_harmless("nextval", engine)
        assert not is_harmless("sleep", engine)
    assert is_irrevocable("public.dblink_exec")
    assert not is_irrevocable("nextval")
