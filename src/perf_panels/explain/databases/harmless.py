"""
The functions that only compute: built into the server, without effect on data, sessions, locks, files or the clock.

All others are named to the user before anything is run. Names are in lower case; ``classify`` reads them.
"""

from __future__ import annotations

import re
from functools import cache

_EVERYWHERE = """
abs acos asin atan atan2 avg bit_length cast ceil ceiling char_length character_length coalesce concat concat_ws cos
cot count cume_dist current_date current_time current_timestamp date degrees dense_rank exp extract first_value floor
greatest group_concat ifnull instr json_array json_arrayagg json_object json_objectagg lag last_value lead least left
length ln localtime localtimestamp log log10 log2 lower lpad ltrim max md5 min mod now nth_value ntile nullif
octet_length percent_rank percentile_cont percentile_disc pi position pow power radians random rank repeat replace
reverse right round row_number rpad rtrim sign sin sqrt stddev stddev_pop stddev_samp strpos substr substring sum tan
time timestamp trim trunc truncate upper user var_pop var_samp variance char decimal double float int integer numeric
varchar
"""

_POSTGRESQL = """
age any_value array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims
array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string
array_to_tsvector array_upper ascii asinh acosh atanh sinh cosh tanh bit bit_and bit_count bit_or bit_xor bool_and
bool_or bpchar btrim cardinality cbrt chr clock_timestamp convert_from convert_to corr covar_pop covar_samp crc32 cube
current_database current_schema current_schemas current_setting date_add date_bin date_part date_subtract date_trunc
decode difference div dmetaphone dmetaphone_alt encode every exists factorial format format_type gamma gcd
gen_random_uuid gin_clean generate_series generate_subscripts grouping host hostmask hstore inet_merge
inet_same_family initcap interval isempty isfinite json_agg json_array_elements json_array_elements_text
json_array_length json_build_array json_build_object json_each json_each_text json_exists json_extract_path
json_extract_path_text json_object_agg json_object_keys json_populate_record json_populate_recordset json_query
json_scalar json_serialize json_strip_nulls json_table json_to_record json_to_recordset json_to_tsvector json_typeof
json_value jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_query
jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set
jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days
justify_hours justify_interval lcm levenshtein levenshtein_less_equal lower_inc lower_inf make_date make_interval
make_time make_timestamp make_timestamptz masklen merge_action metaphone mode multirange netmask network normalize
num_nonnulls num_nulls numnode numrange nummultirange int4range int8range int4multirange int8multirange tsrange
tstzrange tsmultirange tstzmultirange daterange datemultirange overlay parse_ident phraseto_tsquery plainto_tsquery
querytree quote_ident quote_literal quote_nullable range_agg range_intersect_agg range_merge regexp_count regexp_instr
regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy rollup row row_to_json
scale session_user set_bit set_byte get_bit get_byte set_masklen setweight sha224 sha256 sha384 sha512 show_trgm
similarity soundex split_part starts_with statement_timestamp strict_word_similarity string_agg string_to_array
string_to_table strip text timeofday timestamptz to_ascii to_char to_date to_hex to_json to_jsonb to_number
to_regclass to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array trim_scale ts_delete
ts_filter ts_headline ts_rank ts_rank_cd ts_rewrite tsquery_phrase tsvector_to_array unaccent unistr unnest upper_inc
upper_inf uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 version websearch_to_tsquery width_bucket
word_similarity xmlagg xmlattributes xmlelement xmlforest xmlparse xpath pg_typeof pg_column_size st_area st_asbinary
st_asewkb st_asewkt st_asgeojson st_asgml st_askml st_assvg st_astext st_aswkb st_azimuth st_boundary st_buffer
st_centroid st_closestpoint st_collect st_contains st_containsproperly st_convexhull st_coveredby st_covers st_crosses
st_difference st_dimension st_disjoint st_distance st_distance_sphere st_distancespheroid st_dwithin st_envelope
st_equals st_expand st_extent st_force2d st_geohash st_geomfromewkb st_geomfromewkt st_geomfromgeojson st_geomfromtext
st_geomfromwkb st_intersection st_intersects st_isempty st_isvalid st_length st_lengthspheroid st_makeenvelope
st_makeline st_makepoint st_makevalid st_numgeometries st_npoints st_overlaps st_perimeter st_pointonsurface st_relate
st_reverse st_setsrid st_simplify st_snaptogrid st_srid st_symdifference st_touches st_transform st_union st_within
st_x st_y st_z
"""

_MYSQL = """
adddate addtime aes_encrypt aes_decrypt any_value ascii bin bin_to_uuid binary bit_and bit_count bit_or bit_xor cast
char character charset coercibility collation column_get conv convert convert_tz crc32 cube curdate current_user
curtime database date_add date_format date_sub datediff datetime day dayname dayofmonth dayofweek dayofyear default
elt export_set field find_in_set format format_bytes from_base64 from_days from_unixtime get_format grouping hex hour
if inet6_aton inet6_ntoa inet_aton inet_ntoa insert interval is_ipv4 is_ipv6 is_uuid isnull json_array_append
json_array_insert json_array_intersect json_compact json_contains json_contains_path json_depth json_detailed
json_equals json_exists json_extract json_insert json_keys json_length json_loose json_merge json_merge_patch
json_merge_preserve json_normalize json_overlaps json_pretty json_query json_quote json_remove json_replace
json_search json_set json_storage_size json_table json_type json_unquote json_valid json_value last_day lcase locate
make_set makedate maketime mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals mbrintersects mbroverlaps
mbrtouches mbrwithin median microsecond mid minute month monthname natural_sort_key nchar nvl nvl2 oct ord period_add
period_diff point quarter quote rand random_bytes regexp_instr regexp_like regexp_replace regexp_substr rollup row
schema sec_to_time second session_user sha sha1 sha2 signed soundex space st_area st_asbinary st_asgeojson st_astext
st_aswkb st_aswkt st_buffer st_centroid st_collect st_contains st_convexhull st_crosses st_difference st_dimension
st_disjoint st_distance st_distance_sphere st_envelope st_equals st_geohash st_geomfromgeojson st_geomfromtext
st_geomfromwkb st_geometryfromtext st_intersection st_intersects st_isempty st_isvalid st_length st_overlaps st_relate
st_simplify st_srid st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x st_y std
str_to_date strcmp subdate substring_index subtime sysdate system_user time_format time_to_sec timediff timestampadd
timestampdiff to_base64 to_char to_days to_seconds ucase unhex unix_timestamp unsigned utc_date utc_time utc_timestamp
uuid uuid_short uuid_to_bin values version week weekday weight_string year yearweek
"""

_SQLITE = """
acosh any_value asinh atanh bit_xor bm25 changes char cosh date datetime format glob group_concat hex highlight iif
json json_array_length json_each json_error_position json_extract json_group_array json_group_object json_insert
json_patch json_pretty json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array
jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace
jsonb_set julianday last_insert_rowid like likelihood likely match median printf quote rand randomblob regexp sha1
sha224 sha256 sha384 sha512 sinh snippet soundex sqlite_source_id sqlite_version strftime string_agg tanh timediff
total total_changes typeof unhex unicode unixepoch unlikely zeroblob area asewkt asgeojson asgml askml assvg astext
aswkb centroid contains crosses difference disjoint distance envelope equals geomfromtext geomfromwkb intersection
intersects isvalid mbrcontains mbrintersects mbrwithin numgeometries overlaps perimeter pointonsurface ptdistwithin
relate st_area st_union symdifference touches transform within
"""

_ORACLE = """
add_months ascii asciistr bitand chr dbtimezone decode dump empty_blob empty_clob from_tz hextoraw initcap interval
json_equal json_exists json_query json_table json_value last_day listagg lnnvl median months_between nanvl new_time
next_day nls_lower nls_upper numtodsinterval numtoyminterval nvl nvl2 ora_hash rawtohex regexp_count regexp_instr
regexp_like regexp_replace regexp_substr remainder sinh cosh tanh soundex standard_hash stats_mode sys_context
sys_extract_utc sys_guid systimestamp sysdate to_char to_clob to_date to_dsinterval to_number to_timestamp
to_timestamp_tz to_yminterval translate tz_offset xmlagg xmlelement
"""

_NEVER = re.compile(
    r"""
    dblink\w* | lo_export | lo_import | lo_unlink | lo_put | lowrite | postgres_fdw_\w+
    | pg_(?:terminate|cancel)_backend | pg_reload_conf | pg_rotate_logfile\w* | pg_promote | pg_switch_(?:wal|xlog)
    | pg_create_\w+ | pg_drop_\w+ | pg_(?:logical|replication)_\w+ | pg_copy_\w+
    | pg_wal_replay_\w+ | pg_xlog_replay_\w+
    | pg_(?:start|stop)_backup | pg_backup_(?:start|stop) | pg_stat_reset\w* | pg_stat_statements_reset
    | pg_stat_clear_\w+
    | pg_file_\w+ | pg_log_backend_memory_contexts | pg_sync_replication_slots | pg_restore_\w+ | pg_clear_\w+
    | pg_truncate_\w+ | pg_prewarm | autoprewarm_\w+ | pgstattuple_reset | cron_\w+ | http\w* | pg_import_\w+
    | sys_exec | sys_eval | sys_set | load_extension | writefile | fts3_tokenizer | master_\w+_wait | source_pos_wait
    | release_all_locks
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What reaches out of the transaction and of the connection: neither a rollback nor closing takes it back."""


@cache
def harmless(engine: str) -> frozenset[str]:
    """
    Return the names of the harmless functions of an engine.
    """
    own = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL, "sqlite": _SQLITE, "oracle": _ORACLE}[engine]
    return frozenset(f"{_EVERYWHERE} {own}".split())


def is_harmless(name: str, engine: str) -> bool:
    """
    Say whether a function only computes; Django's own of SQLite are.
    """
    return name in harmless(engine) or (engine == "sqlite" and name.startswith("django_"))


def is_irrevocable(name: str) -> bool:
    """
    Say whether a function does what nothing takes back; ``name`` may have its schema.
    """
    return _NEVER.fullmatch(name.rpartition(".")[2]) is not None
