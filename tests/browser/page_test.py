#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads pages of sample incidents in headless Chromium, narrow and wide, light and dark: axe-core
finds nothing, nothing is wider than the window, and a page made of hostile events runs, loads and
asks nothing. Exit status 77: there is no Chromium, or axe-core cannot be had."""
import argparse
import base64
import hashlib
import io
import itertools
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

AXE_VERSION = "4.14.1"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
AXE_URL = f"https://registry.npmjs.org/axe-core/-/axe-core-{AXE_VERSION}.tgz"
PATIENCE_SECONDS = 60
SIZES = ((360, 800), (1440, 900))


def skip(why):
    print(f"browser: skipped: {why}")
    sys.exit(77)


def axe_source():
    """The one file of axe-core, from where it was put before or from npm, checked."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "ward"
    path = pathlib.Path(os.environ.get("WARD_AXE", cache / f"axe-{AXE_VERSION}.min.js"))
    if not path.exists():
        try:
            url = os.environ.get("WARD_AXE_URL", AXE_URL)
            with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
                packed = answer.read(32 << 20)
        except OSError as error:
            skip(f"axe-core cannot be fetched: {error}")
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            text = tar.extractfile("package/axe.min.js").read()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    text = path.read_bytes()
    found = hashlib.sha256(text).hexdigest()
    if found != AXE_SHA256:
        sys.exit(f"browser: {path} is not axe-core {AXE_VERSION}: sha256 {found}")
    return text.decode()


class Browser:
    """Chromium's own protocol over a pair of pipes: messages of JSON that end with a zero byte."""

    def __init__(self, program, folder):
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()

        def child():
            os.dup2(theirs_read, 1003)
            os.dup2(theirs_write, 1004)
            os.dup2(1003, 3)
            os.dup2(1004, 4)

        self.process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--hide-scrollbars",
                f"--user-data-dir={folder}",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            preexec_fn=child,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self.read_fd, self.write_fd = ours_read, ours_write
        self.pending, self.events, self.number = b"", [], 0

    def message(self):
        until = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self.pending:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.read_fd], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self.read_fd, 1 << 20)
            if not chunk:
                raise ConnectionError("the browser ended")
            self.pending += chunk
        raw, self.pending = self.pending.split(b"\0", 1)
        return json.loads(raw)

    def call(self, method, session=None, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        view = memoryview(json.dumps(request).encode() + b"\0")
        while view:
            view = view[os.write(self.write_fd, view) :]
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def await_event(self, method):
        while True:
            for event in self.events:
                if event.get("method") == method:
                    return
            self.events.append(self.message())

    def close(self):
        try:
            self.call("Browser.close")
        except (RuntimeError, ConnectionError, TimeoutError):
            self.process.kill()
        self.process.wait()
        os.close(self.read_fd)
        os.close(self.write_fd)


class Page:
    """One page in a tab of its own, and what happened while it loaded."""

    def __init__(self, browser, path, size, scheme):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)[
            "sessionId"
        ]
        browser.events.clear()
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.url = path.resolve().as_uri()
        self.call("Page.navigate", url=self.url)
        browser.await_event("Page.loadEventFired")

    def call(self, method, **params):
        return self.browser.call(method, session=self.session, **params)

    def value(self, expression):
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"])[:2000])
        return result["result"].get("value")

    def happened(self):
        """What a page of ours never does."""
        out = []
        for event in self.browser.events:
            params = event.get("params", {})
            method = event.get("method")
            if method == "Network.requestWillBeSent" and params["request"]["url"] != self.url:
                out.append("request " + params["request"]["url"][:200])
            elif method == "Page.javascriptDialogOpening":
                out.append("dialog " + params["message"][:100])
            elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                out.append(method)
            elif method == "Log.entryAdded":
                out.append("log " + params["entry"]["text"][:200])
        return out

    def picture(self, path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)


INERT = """(() => {
  const wrong = [];
  if (window.ran !== undefined) wrong.push("something ran");
  if (document.scripts.length) wrong.push("scripts");
  for (const e of document.querySelectorAll("iframe,object,embed,img,form,base,link,input"))
    wrong.push(e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll("*"))
    for (const a of e.attributes)
      if (a.name.startsWith("on") || a.name === "style") wrong.push(e.tagName + "." + a.name);
  for (const e of document.querySelectorAll("a"))
    if (!/^(#|[A-Za-z0-9_.-]+$)/.test(e.getAttribute("href"))) wrong.push(e.outerHTML.slice(0, 80));
  return wrong;
})()"""
WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + \
': ' + v.help + ' ' + v.nodes.slice(0, 2).map(n => n.html.slice(0, 160)).join(' | ')))"


def check(browser, path, size, scheme, axe, pictures):
    """What is wrong with a page; empty where nothing is."""
    page = Page(browser, path, size, scheme)
    wrong = page.value(INERT) + page.happened()
    overflow = page.value(WIDTH)
    if overflow > 0:
        wrong.append(f"{overflow} pixels wider than the window")
    if axe and path.stat().st_size < 1 << 20:
        page.value(axe + "; undefined")
        wrong += page.value(AXE)
    if pictures:
        page.picture(pictures / f"{path.stem}-{size[0]}-{scheme}.png")
    page.close()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/asan", help="where sample_pages is")
    parser.add_argument("--pages", type=pathlib.Path, help="a folder of pages instead")
    parser.add_argument("--pictures", type=pathlib.Path, help="where to keep what was seen")
    asked = parser.parse_args()
    program = shutil.which("chromium") or skip("chromium is not installed")
    axe = axe_source()
    failed = checked = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.pages or pathlib.Path(scratch) / "pages"
        if not asked.pages:
            folder.mkdir()
            subprocess.run([f"{asked.build}/tests/browser/sample_pages", folder], check=True)
        if asked.pictures:
            asked.pictures.mkdir(parents=True, exist_ok=True)
        browser = Browser(program, f"{scratch}/profile")
        try:
            for path, size, scheme in itertools.product(
                sorted(folder.glob("*.html")), SIZES, ("light", "dark")
            ):
                checked += 1
                wrong = check(browser, path, size, scheme, axe, asked.pictures)
                failed += bool(wrong)
                for what in wrong:
                    print(f"browser: {path.name} at {size[0]}, {scheme}: {what}")
        finally:
            browser.close()
    print(f"browser: {checked} views, {failed} with a fault")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
