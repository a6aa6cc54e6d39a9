// SPDX-License-Identifier: Apache-2.0
// A small service: notes in a file, uploads, reports by a worker and by a program.
const http = require('http');
const fs = require('fs');
const zlib = require('zlib');
const dns = require('dns');
const crypto = require('crypto');
const child = require('child_process');
const { Worker } = require('worker_threads');

const STORE = '/var/lib/notes/notes.json';
let notes = [];

function answer(response, body, status = 200) {
  const text = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'Content-Length': text.length });
  response.end(text);
}

function keep(then) {
  fs.writeFile(STORE + '.new', JSON.stringify(notes), (error) => {
    if (error) return then(error);
    fs.rename(STORE + '.new', STORE, then);
  });
}

const pages = {
  'GET /': (q, r) => answer(r, { notes: notes.length }),
  'GET /all': (q, r) => answer(r, notes),
  'POST /notes': (q, r, body) => {
    notes.push(JSON.parse(body).text);
    keep((error) => answer(r, error ? String(error) : 'kept', error ? 500 : 201));
  },
  'POST /upload': (q, r, body) => zlib.gzip(body, (error, small) => {
    fs.writeFile('/var/lib/notes/upload', small, () => answer(r, small.length));
  }),
  'GET /upload': (q, r) => {
    r.writeHead(200);
    fs.createReadStream('/var/lib/notes/upload').pipe(zlib.createGunzip()).pipe(r);
  },
  'GET /password': (q, r) => crypto.scrypt('word', 'salt', 32, (e, key) => answer(r, key)),
  'GET /worker': (q, r) => {
    const work = 'require("worker_threads").parentPort.postMessage(6 * 7)';
    new Worker(work, { eval: true }).on('message', (said) => answer(r, said));
  },
  'GET /sorted': (q, r) => {
    const done = child.spawn('sort');
    let said = '';
    done.stdout.on('data', (part) => { said += part; });
    done.on('error', (error) => answer(r, String(error), 500));
    done.on('close', () => answer(r, Buffer.from(said)));
    done.stdin.on('error', () => {});
    done.stdin.end(notes.join('\n') + '\n');
  },
  'GET /where': (q, r) => dns.lookup('nowhere.invalid', (e, at) => answer(r, e ? e.code : at)),
  'GET /self': (q, r) => http.get('http://127.0.0.1:8080/', (got) => {
    got.resume();
    answer(r, got.statusCode);
  }).on('error', (error) => answer(r, String(error), 500)),
  'DELETE /notes': (q, r) => { notes = []; fs.unlink(STORE, () => answer(r, 'gone')); },
};

process.on('SIGTERM', () => process.exit(0));
process.on('SIGHUP', () => { notes = JSON.parse(fs.readFileSync(STORE)); });
setInterval(() => fs.stat(STORE, () => {}), 500);
http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const page = pages[request.method + ' ' + request.url];
    if (!page) return answer(response, 'no such page', 404);
    try {
      page(request, response, Buffer.concat(parts));
    } catch (error) {
      answer(response, String(error), 500);
    }
  });
}).listen(8080);
