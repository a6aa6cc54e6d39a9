// SPDX-License-Identifier: Apache-2.0
// Moments of a life as Node.js lives them.
"use strict";
const child = require("child_process");
const dns = require("dns");
const fs = require("fs");
const os = require("os");
const path = require("path");
const { Worker, isMainThread, workerData } = require("worker_threads");

function raise(number) {
  process.kill(process.pid, number);
  setTimeout(() => {}, 5000);
}

function leave() {
  process.on("exit", () => console.log("last words"));
  process.exit(3);
}

function exitInThread() {
  const worker = new Worker(__filename, { workerData: "leave" });
  worker.on("exit", () => process.exit(4));
}

function handled() {
  const wanted = ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR2"];
  let seen = 0;
  for (const name of wanted)
    process.on(name, () => {
      if (++seen === wanted.length) process.exit(0);
    });
  for (const name of wanted) process.kill(process.pid, name);
  setTimeout(() => process.exit(1), 5000);
}

function pipe() {
  const stopped = child.spawn("/bin/true", { stdio: ["pipe", "ignore", "ignore"] });
  stopped.stdin.on("error", () => {});
  stopped.on("exit", () => stopped.stdin.write("x".repeat(1 << 20)));
}

function overflow() {
  const deep = () => deep() + 1;
  try {
    deep();
  } catch (error) {
    return;
  }
  process.exit(1);
}

// The heap's limit stands in the command; V8 gives up with what it knows of the heap.
function memoryFull() {
  const kept = [];
  for (;;) kept.push(new Array(1000).fill({}));
}

function memoryChurn() {
  const kept = [];
  for (let number = 0; number < 20000; ++number) kept[number % 500] = Buffer.alloc(number % 65536);
  kept.length = 0;
  if (global.gc) global.gc();
}

function find(host, wanted) {
  dns.lookup(host, (error) => {
    if (!error !== wanted) process.exit(1);
  });
}

function timeZones() {
  const zone = { timeZone: "Europe/Berlin", timeZoneName: "long" };
  console.log(new Date().toLocaleString("de-DE", zone), process.hrtime.bigint());
  process.env.TZ = "Asia/Tokyo";
  console.log(new Date().toString(), process.cpuUsage());
  let left = 3;
  const ticking = setInterval(() => --left || clearInterval(ticking), 2);
}

function threads() {
  const done = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 3; ++i) new Worker(__filename, { workerData: done });
  require("crypto").pbkdf2("a", "b", 1000, 32, "sha256", () => {});
  require("zlib").gzip("text".repeat(1000), () => {});
}

function stdio() {
  fs.readFileSync("/etc/hosts");
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "moments-"));
  const file = path.join(directory, "file");
  fs.writeFileSync(file, "line\n".repeat(5000));
  fs.createReadStream(file).on("data", () => {}).on("close", () => {
    fs.rmSync(directory, { recursive: true });
    console.log("to standard output", Math.random());
    console.error("to standard error");
  });
  fs.existsSync("/nowhere/nothing");
}

function spawn() {
  console.log(child.execFileSync("/bin/sh", ["-c", "echo spawned"]).toString());
}

const moments = {
  "start": () => {},
  "exit": leave,
  "exit-in-thread": exitInThread,
  "abort": () => process.abort(),
  "uncaught": () => { throw new Error("not caught"); },
  "term": () => raise("SIGTERM"),
  "hup": () => raise("SIGHUP"),
  "handled": handled,
  "fault": () => raise("SIGSEGV"),
  "overflow": overflow,
  "memory-full": memoryFull,
  "memory-churn": memoryChurn,
  "names-file": () => find("localhost", true),
  "names-answered": () => find("answered.test", true),
  "names-refused": () => find("refused.test", false),
  "names-silent": () => find("silent.test", false),
  "time": timeZones,
  "threads": threads,
  "stdio": stdio,
  "locale": () => console.log(new Intl.Collator("de").compare("ä", "z"), (1234.5).toLocaleString()),
  "pipe": pipe,
  "spawn": spawn,
};

if (!isMainThread) {
  if (workerData === "leave") process.exit(0);
  Atomics.add(workerData, 0, 1);
  Atomics.notify(workerData, 0);
  Atomics.wait(workerData, 0, 1, 100);
} else {
  moments[process.argv[2]]();
}
