# SPDX-License-Identifier: Apache-2.0
"""MariaDB: learned with a table and queries; b loads files, sorts on disk, uses other engines,
dumps and flushes."""
import contextlib
import subprocess
import time

from life import Program


def sql(life, text):
    return life.client("mariadb", "--batch", "-N", "-e", text)


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
    ask("a database", "CREATE DATABASE d")
    ask("a table", "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40))")
    ask("rows", "INSERT INTO d.t (name) SELECT seq FROM d.seq_1_to_2000")
    ask("a query", "SELECT COUNT(*) FROM d.t WHERE name LIKE '1%'", "1111")
    ask("an index", "CREATE INDEX byname ON d.t (name)")
    ask("a change", "BEGIN; UPDATE d.t SET name = 'x' WHERE id < 10; COMMIT")
    ask("a wrong query", "SELECT * FROM d.nowhere", "exist", 1)
    return life.end("TERM")


def unlearned(life):
    ask = asker(life)
    ask("databases", "CREATE DATABASE d; CREATE DATABASE e")
    ask("a big table", "CREATE TABLE d.big AS SELECT seq, MD5(seq) h FROM d.seq_1_to_100000")
    ask(
        "sorted on disk",
        "SET sort_buffer_size = 32768; SET tmp_memory_table_size = 1024; "
        "SELECT h, COUNT(*) FROM d.big GROUP BY h ORDER BY h LIMIT 1",
        "0000",
    )
    ask("to a file", "SELECT * FROM d.big INTO OUTFILE '/tmp/big.txt'")
    ask(
        "from a file",
        "CREATE TABLE d.copy LIKE d.big; LOAD DATA INFILE '/tmp/big.txt' INTO TABLE d.copy",
    )
    ask(
        "another engine",
        "CREATE TABLE d.m (i INT, t TEXT, FULLTEXT (t)) ENGINE=MyISAM; "
        "INSERT INTO d.m VALUES (1, 'some words'); OPTIMIZE TABLE d.m",
        "OK",
    )
    ask("Aria", "CREATE TABLE d.a ENGINE=Aria AS SELECT * FROM d.big; REPAIR TABLE d.a", "OK")
    ask("rolled back", "BEGIN; DELETE FROM d.big; ROLLBACK; SELECT COUNT(*) FROM d.big", "100000")
    ask("changed", "ALTER TABLE d.big ADD COLUMN more INT, ADD INDEX (h)")
    ask(
        "compressed",
        "CREATE TABLE d.c (t LONGTEXT) ROW_FORMAT=COMPRESSED; "
        "INSERT INTO d.c VALUES (REPEAT('x', 1000000))",
    )
    ask("prepared", "PREPARE s FROM 'SELECT ? + 1'; EXECUTE s USING 41", "42")
    ask("a procedure", "CREATE PROCEDURE d.p() SELECT SLEEP(0.05); CALL d.p()", "0")
    ask("too long", "SET STATEMENT max_statement_time=0.1 FOR SELECT SLEEP(3)", "interrupted", 1)
    ask(
        "an event",
        "SET GLOBAL event_scheduler = ON; "
        "CREATE EVENT d.e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO d.m VALUES (2, 'tick')",
    )
    life.step(
        "a dump",
        lambda: life.client("mariadb-dump", "--no-data", "d"),
        lambda a: "CREATE TABLE" in a[1],
    )
    life.step(
        "over the network",
        lambda: life.client(
            "mariadb", "-h", "127.0.0.1", "-u", "nobody", "-pwrong", "-e", "SELECT 1"
        ),
        lambda a: "Access denied" in a[1],
    )
    ask("logs", "SET GLOBAL slow_query_log = 1; SET GLOBAL general_log = 1; FLUSH LOGS")
    ask("status", "SHOW ENGINE INNODB STATUS", "INNODB MONITOR")
    life.signal("HUP")
    time.sleep(1)
    ask("the event came", "SELECT COUNT(*) > 1 FROM d.m", "1")
    ask("dropped", "DROP DATABASE e; DROP DATABASE d")
    with contextlib.suppress(subprocess.TimeoutExpired):
        life.client("mariadb-admin", "shutdown")
    return life.end(None)


PROGRAM = Program(
    "mariadb",
    "database, threads",
    ["/usr/sbin/mariadbd", "--user=mysql", "--bind-address=0.0.0.0"],
    learned,
    unlearned,
    port=3306,
    packages=["mariadb-server"],
    setup=["install -d -o mysql -g mysql /run/mysqld"],
)
