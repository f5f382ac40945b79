"""A browser session over the W3C WebDriver protocol: Python's standard library and chromedriver, nothing else."""
import base64
import json
import os
import shutil
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key the standard gives element references


class WebDriverError(Exception):
    """The browser refused a command."""


def browser_paths():
    """(chromium, chromedriver), or None where one is absent."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


class Browser:
    """One headless Chromium with its own profile; a context manager that leaves nothing behind."""

    def __init__(self, width=1280, height=900):
        self.size, self.session, self.driver = (width, height), None, None
        self.profile = tempfile.mkdtemp(prefix="probedarts_browser_")

    def __enter__(self):
        chromium, driver = browser_paths()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: never by a proxy
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True)
        try:
            self.root = f"http://127.0.0.1:{self._chosen_port()}"
            self._open_session(chromium)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            try:
                self.send("DELETE", "")
            except (WebDriverError, OSError) as error:
                print(f"closing the browser: {error}")
        if self.driver:
            self.driver.terminate()
            self.driver.wait(timeout=20)
            self.driver.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _chosen_port(self):
        """The driver takes a free port and says which once it listens."""
        for line in self.driver.stdout:
            said = re.search(r"successfully on port (\d+)", line)
            if said:
                return int(said.group(1))
        raise WebDriverError("chromedriver ended before it listened")

    def _open_session(self, chromium):
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
                 "--hide-scrollbars", "--disable-dev-shm-usage", f"--user-data-dir={self.profile}",
                 "--window-size={},{}".format(*self.size)]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"binary": chromium, "args": flags},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._request("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = answer["sessionId"]
        self.resize(*self.size)

    def _request(self, method, path, body=None):
        request = urllib.request.Request(self.root + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with self.opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise WebDriverError(json.load(error)["value"]["message"]) from error

    def send(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    def devtools(self, command, parameters):
        return self.send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height):
        """The layout width, whatever minimum a window has."""
        self.devtools("Emulation.setDeviceMetricsOverride",
                      {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, scheme):
        """The colour scheme the page is told the reader prefers: "light" or "dark"."""
        self.devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        # The page hears of the change when it next draws a frame; the driver waits for the promise.
        self.js("return new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(true))));")

    def open(self, url):
        self.send("POST", "/url", {"url": url})

    def js(self, script, *arguments):
        return self.send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, css):
        return self.send("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def find_all(self, css):
        found = self.send("POST", "/elements", {"using": "css selector", "value": css})
        return [element[ELEMENT] for element in found]

    def click(self, element):
        self.send("POST", f"/element/{element}/click", {})

    def text(self, element):
        return self.send("GET", f"/element/{element}/text")

    def press(self, element, keys):
        self.send("POST", f"/element/{element}/value", {"text": keys})

    def console(self):
        """Messages since the last call: [{"level", "message"}]."""
        return self.send("POST", "/se/log", {"type": "browser"})

    def screenshot(self, path):
        """The whole page, not only what the window shows."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shot = self.devtools("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
