# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: learned with a table, an index and a checkpoint; b sorts on disk, runs in parallel,
dumps, cancels and reconfigures."""
from life import Program


def sql(life, text, **options):
    return life.client(
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-AtX",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        text,
        **options,
    )


def asker(life):
    def ask(what, text, right=None, status=0):
        life.step(
            what,
            lambda: sql(life, text),
            lambda a: a[0] == status and (right is None or right in a[1]),
        )

    return ask


def learned(life):
    ask = asker(life)
    ask("a table", "CREATE TABLE t (id serial PRIMARY KEY, name text)")
    ask("rows", "INSERT INTO t (name) SELECT 'n' || i FROM generate_series(1, 2000) i")
    ask("a query", "SELECT count(*) FROM t WHERE name LIKE 'n1%'", "1111")
    ask("an index", "CREATE INDEX ON t (name)")
    ask("a change", "BEGIN; UPDATE t SET name = 'x' WHERE id < 10; COMMIT")
    ask("a wrong query", "SELECT * FROM nowhere", "does not exist", 1)
    ask("a checkpoint", "CHECKPOINT")
    return life.end("INT")


def unlearned(life):
    ask = asker(life)
    ask("a database", "CREATE DATABASE other")
    ask(
        "a big table",
        "CREATE TABLE big AS SELECT i, md5(i::text) h FROM generate_series(1, 200000) i",
    )
    ask("sorted on disk", "SET work_mem = '64kB'; SELECT h FROM big ORDER BY h LIMIT 1", "0000")
    ask(
        "in parallel",
        "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; "
        "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; "
        "SELECT count(*) FROM big WHERE h LIKE '%a%'",
    )
    life.step(
        "copied in",
        lambda: life.client(
            "psql",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-c",
            "COPY big FROM STDIN",
            data="1\ta\n2\tb\n",
        ),
        lambda a: "COPY 2" in a[1],
    )
    ask("copied to a file", "COPY big TO '/tmp/big.txt'", "COPY")
    ask("a large object", "SELECT lo_import('/etc/hostname') > 0", "t")
    ask("a function", "DO $$ BEGIN PERFORM pg_sleep(0.05); RAISE NOTICE 'done'; END $$")
    ask("a temporary table", "CREATE TEMP TABLE x AS SELECT * FROM big LIMIT 50000; ANALYZE x")
    ask("listens", "LISTEN word; NOTIFY word, 'said'")
    ask("cleaned", "VACUUM FULL big")
    ask("clustered", "ALTER TABLE big ADD COLUMN more int DEFAULT 1; REINDEX TABLE t0", None, 1)
    ask("cancelled", "SET statement_timeout = '100ms'; SELECT pg_sleep(3)", "canceling", 1)
    ask("deep", "SELECT pg_terminate_backend(pg_backend_pid())", None, 2)
    life.step(
        "a dump",
        lambda: life.client("pg_dump", "-h", "127.0.0.1", "-U", "postgres", "-s", "postgres"),
        lambda a: "CREATE TABLE" in a[1],
    )
    life.step(
        "over its socket",
        lambda: life.client(
            "psql", "-h", "/var/run/postgresql", "-U", "postgres", "-Atc", "SHOW server_version"
        ),
        lambda a: a[0] == 0,
    )
    ask("a setting", "ALTER SYSTEM SET work_mem = '8MB'")
    life.signal("HUP")
    ask("a new file of the log", "SELECT pg_switch_wal() IS NOT NULL", "t")
    ask("statistics", "SELECT sum(pg_stat_get_numscans(oid)) >= 0 FROM pg_class", "t")
    ask("a database dropped", "DROP DATABASE other")
    return life.end("TERM")


def command(version):
    return [
        f"/usr/lib/postgresql/{version}/bin/postgres",
        "-D",
        f"/var/lib/postgresql/{version}/main",
        "-c",
        f"config_file=/etc/postgresql/{version}/main/postgresql.conf",
    ]


def setup(version):
    etc = f"/etc/postgresql/{version}/main"
    return [
        f"printf 'local all all trust\\nhost all all 127.0.0.1/32 trust\\n' >{etc}/pg_hba.conf",
        f"echo \"listen_addresses = '*'\" >>{etc}/postgresql.conf",
        f"echo 'max_prepared_transactions = 4' >>{etc}/postgresql.conf",
        "install -d -o postgres -g postgres -m 2775 /var/run/postgresql",
    ]


PROGRAM = Program(
    "postgresql",
    "database, several processes",
    command("15"),
    learned,
    unlearned,
    port=5432,
    packages=["postgresql"],
    user="postgres",
    stop="SIGINT",
    ready=lambda life: life.client("pg_isready", "-h", "127.0.0.1")[0] == 0,
    setup=setup("15"),
    newer={"command": command("17"), "setup": setup("17")},
)
