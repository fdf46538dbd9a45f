"""A seeded stream of statements for the differential test: the same seed makes the same stream."""

import random

COLUMNS = {
    "id": "INT PRIMARY KEY AUTO_INCREMENT",
    "small": "SMALLINT UNSIGNED",
    "big": "BIGINT",
    "exact": "DECIMAL(20,6)",
    "rough": "DOUBLE",
    "word": "VARCHAR(40)",
    "raw": "VARBINARY(40)",
    "long_text": "MEDIUMTEXT",
    "day": "DATE",
    "moment": "DATETIME(6)",
    "span": "TIME(3)",
    "choice": "ENUM('a','b','c')",
    "doc": "JSON",
}

VALUES = {
    "small": ["0", "65535", "70000", "-1", "NULL", "'12abc'"],
    "big": ["0", "-9223372036854775808", "9223372036854775807", "NULL", "1e3"],
    "exact": ["0", "12345678901234.123456", "-0.0000001", "NULL"],
    "rough": ["0", "1.5e300", "-2.25", "NULL"],
    "word": ["''", "'plain'", "'grüße'", "'it''s'", "NULL", "REPEAT('w', 50)", "'\\\\'"],
    "raw": ["x'00ff'", "''", "NULL", "x'fbfcfdfe'"],
    "long_text": ["REPEAT('t', 250)", "REPEAT('t', 251)", "REPEAT('t', 70000)", "NULL", "''"],
    "day": ["'2024-02-29'", "'2023-02-29'", "'0000-00-00'", "NULL"],
    "moment": ["'2024-02-29 12:34:56.789012'", "'1000-01-01 00:00:00'", "NULL", "'nonsense'"],
    "span": ["'-12:00:01.5'", "'838:59:59'", "'900:00:00'", "NULL"],
    "choice": ["'a'", "'c'", "'z'", "2", "NULL"],
    "doc": ['\'{"a": [1, 2]}\'', "'not json'", "NULL"],
}

SETUP = [
    "CREATE OR REPLACE TABLE diff_t (" + ", ".join(f"{n} {t}" for n, t in COLUMNS.items()) + ") AUTO_INCREMENT = 1",
    "CREATE OR REPLACE PROCEDURE diff_two(IN n INT) BEGIN SELECT n; SELECT id, word FROM diff_t ORDER BY id LIMIT n; END",
    "CREATE OR REPLACE PROCEDURE diff_fail() BEGIN SELECT 1; SELECT * FROM not_there; END",
    "CREATE OR REPLACE FUNCTION diff_half(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n DIV 2",
]

SESSION = [
    "SET sql_mode = ''",
    "SET sql_mode = 'STRICT_ALL_TABLES'",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET NAMES utf8mb4",
    "SET NAMES latin1",
    "SET time_zone = '+02:00'",
    "SET @a = 5, @b = 'text', @c = NULL",
    "SET @a = @a + 1",
    "SET SESSION max_statement_time = 0",
    "SET SESSION group_concat_max_len = 2000",
    "SET no_such_variable = 1",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "USE app",
    "USE no_such_database",
]

READS = [
    "SELECT * FROM diff_t ORDER BY id LIMIT 7",
    "SELECT COUNT(*), MIN(big), MAX(exact), AVG(rough), SUM(small) FROM diff_t",
    "SELECT word, raw, HEX(raw) FROM diff_t WHERE word IS NOT NULL ORDER BY id",
    "SELECT id, moment, day, span FROM diff_t ORDER BY id DESC LIMIT 5",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
    "WITH t AS (SELECT id FROM diff_t) SELECT COUNT(*) FROM t",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT @a, @b, @c",
    "SELECT @@sql_mode, @@autocommit, @@time_zone, @@character_set_client",
    "SELECT 1/0, CAST('12x' AS SIGNED)",
    "SELECT LAST_INSERT_ID(), ROW_COUNT()",
    "SELECT diff_half(9), DATABASE(), CURRENT_USER()",
    "SELECT",
    "SELECT * FROM not_there",
    "SELECT no_such_column FROM diff_t",
    "SELECT ''; ",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "SHOW COLUMNS FROM diff_t",
    "SHOW CREATE TABLE diff_t",
    "SHOW TABLES LIKE 'diff%'",
    "EXPLAIN SELECT * FROM diff_t WHERE id = 1",
    "DESCRIBE diff_t",
    "SELECT SQL_CALC_FOUND_ROWS id FROM diff_t ORDER BY id LIMIT 1",
    "SELECT FOUND_ROWS()",
    "SELECT id FROM diff_t WHERE id < 5 FOR UPDATE",
    "CHECKSUM TABLE diff_t",
    "HELP 'no such topic'",
]

WRITES = [
    "UPDATE diff_t SET word = CONCAT(IFNULL(word, ''), 'x') WHERE id % 5 = 0",
    "UPDATE diff_t SET small = small WHERE id < 10",
    "DELETE FROM diff_t WHERE id % 13 = 12",
    "REPLACE INTO diff_t (id, word) VALUES (3, 'replaced')",
    "INSERT INTO diff_t (id) VALUES (3)",
    "INSERT INTO diff_t (id, word) VALUES (4, 'dup') ON DUPLICATE KEY UPDATE word = 'dup2'",
    "INSERT INTO diff_t (word, big) SELECT word, big FROM diff_t ORDER BY id LIMIT 2",
    "INSERT INTO diff_t (word) VALUES ('returned') RETURNING id, word",
    "CREATE TEMPORARY TABLE IF NOT EXISTS diff_tmp (a INT)",
    "INSERT INTO diff_tmp VALUES (1), (2)",
    "SELECT COUNT(*) FROM diff_tmp",
    "DROP TEMPORARY TABLE IF EXISTS diff_tmp",
    "DO 1 + 1",
    "ANALYZE TABLE diff_t",
]

TRANSACTIONS = [
    "BEGIN",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE SAVEPOINT s",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "COMMIT AND CHAIN",
]

MULTI = [
    "SELECT 1; SELECT 2, 3",
    "CALL diff_two(2)",
    "CALL diff_fail()",
    "SELECT 1; SELECT * FROM not_there; SELECT 3",
    "SET @a = 9; SELECT @a",
    "DO 1; DO 2",
]

PREPARED_TEXT = [
    "PREPARE p FROM 'SELECT ? + 1, word FROM diff_t ORDER BY id LIMIT 2'",
    "EXECUTE p USING @a",
    "DEALLOCATE PREPARE p",
]

BINARY = [
    ("SELECT ?, ?, ?", "nsi"),
    ("SELECT * FROM diff_t WHERE id = ?", "i"),
    ("SELECT id, word FROM diff_t WHERE word = ? OR id < ? ORDER BY id", "si"),
    ("INSERT INTO diff_t (word, big) VALUES (?, ?)", "si"),
    ("UPDATE diff_t SET raw = ? WHERE id = ?", "si"),
    ("CALL diff_two(?)", "i"),
    ("SELECT * FROM not_there WHERE id = ?", "i"),
    ("SHOW WARNINGS", ""),
    ("BEGIN", ""),
    ("COMMIT", ""),
]


class Stream:
    """Yields ("text", sql) and ("binary", sql, kinds, values)."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def insert(self):
        names = self.random.sample(list(VALUES), self.random.randint(1, len(VALUES)))
        rows = []
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            rows.append("(" + ", ".join(self.random.choice(VALUES[name]) for name in names) + ")")
        return f"INSERT INTO diff_t ({', '.join(names)}) VALUES {', '.join(rows)}"

    def binary(self):
        sql, kinds = self.random.choice(BINARY)
        choices = {
            "n": [None],
            "s": [None, b"", b"word", "grüße".encode(), b"x" * 300],
            "i": [None, 0, 1, 5, -1, 2**31 - 1],
        }
        return ("binary", sql, kinds, [self.random.choice(choices[kind]) for kind in kinds])

    def __iter__(self):
        pools = [READS, WRITES, SESSION, TRANSACTIONS, MULTI, PREPARED_TEXT]
        while True:
            kind = self.random.choices(range(8), [8, 3, 2, 2, 2, 1, 4, 3])[0]
            if kind == 6:
                yield ("text", self.insert())
            elif kind == 7:
                yield self.binary()
            else:
                yield ("text", self.random.choice(pools[kind]))
