// mysql2 for Node, unchanged: text and prepared statements, transactions, streams.
// Run with `node --test`; DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME say where.
'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert');
const { createRequire } = require('node:module');
const mysql = createRequire(process.env.HADAL_NODE + '/package.json')('mysql2/promise');

const settings = {
  host: process.env.DB_HOST,
  port: Number(process.env.DB_PORT),
  user: process.env.DB_USER,
  password: process.env.DB_PASSWORD,
  database: process.env.DB_NAME,
};

let connection;
before(async () => {
  connection = await mysql.createConnection(settings);
  await connection.query('CREATE OR REPLACE TABLE node_items (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50))');
});
after(async () => {
  await connection.query('DROP TABLE node_items');
  await connection.end();
});

test('text statements', async () => {
  const [rows] = await connection.query('SELECT 1 AS one, ? AS text', ['it\'s']);
  assert.deepStrictEqual({ ...rows[0] }, { one: 1, text: 'it\'s' });
});

test('prepared statements, many times', async () => {
  for (let n = 0; n < 100; n += 1) {
    const [done] = await connection.execute('INSERT INTO node_items (name) VALUES (?)', [`n${n}`]);
    const [rows] = await connection.execute('SELECT name FROM node_items WHERE id = ?', [done.insertId]);
    assert.strictEqual(rows[0].name, `n${n}`);
  }
});

test('types through the binary protocol', async () => {
  const [rows] = await connection.execute(
    'SELECT CAST(? AS SIGNED) AS whole, ? AS nothing, CAST(? AS DATE) AS day, CAST(? AS DECIMAL(10,2)) AS price',
    [42, null, '2024-02-29', '12.50']);
  assert.strictEqual(rows[0].whole, 42);
  assert.strictEqual(rows[0].nothing, null);
  assert.strictEqual(rows[0].price, '12.50');
});

test('transactions', async () => {
  await connection.beginTransaction();
  await connection.query('DELETE FROM node_items');
  await connection.rollback();
  const [rows] = await connection.query('SELECT COUNT(*) AS count FROM node_items');
  assert.ok(rows[0].count >= 100);
});

test('errors keep their number and the connection its life', async () => {
  await assert.rejects(connection.query('SELECT * FROM not_there'), { errno: 1146, sqlState: '42S02' });
  const [rows] = await connection.query('SELECT 7 AS seven');
  assert.strictEqual(rows[0].seven, 7);
});

test('a pool under parallel load gives everyone their own rows', async () => {
  const pool = mysql.createPool({ ...settings, connectionLimit: 10 });
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => pool.execute('SELECT CAST(? AS SIGNED) AS n', [n])));
  answers.forEach(([rows], n) => assert.strictEqual(rows[0].n, n));
  await pool.end();
});

test('change user', async () => {
  const other = await mysql.createConnection(settings);
  await other.query('SET @a = 1');
  await other.changeUser({ user: settings.user, password: settings.password, database: settings.database });
  const [rows] = await other.query('SELECT @a AS a');
  assert.strictEqual(rows[0].a, null);
  await other.end();
});

test('multiple statements', async () => {
  const other = await mysql.createConnection({ ...settings, multipleStatements: true });
  const [results] = await other.query('SELECT 1 AS a; SELECT 2 AS b');
  assert.deepStrictEqual(results.map((rows) => ({ ...rows[0] })), [{ a: 1 }, { b: 2 }]);
  await other.end();
});
