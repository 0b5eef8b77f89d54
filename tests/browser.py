"""A headless Chromium for tests, spoken to over two pipes: the standard library is enough for that."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DESKTOP, PHONE = (1280, 900), (390, 844)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}


def find_chromium() -> str | None:
    """The browser of the distribution, or of the variable CHROMIUM."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


class Browser:
    """One tab. Every method returns when the browser has done it."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._left, self._number = b"", 0
        self.requests: list[str] = []  # the addresses that pages asked for
        self.problems: list[str] = []  # what the console complained of
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = ""
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._send(f"{domain}.enable")

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", ""):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def _receive(self, timeout: float = 30) -> dict[str, Any]:
        until = time.monotonic() + timeout
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._left += part
        text, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case "Runtime.exceptionThrown":
                self.problems.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded":
                self.problems.append(message["params"]["entry"]["text"])
        return message

    def show(self, size: tuple[int, int], *, dark: bool = False, scripts: bool = True) -> None:
        """Sets the size of the window, the colours that the user prefers, and whether scripts run."""
        width, height = size
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])
        self._send("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, page: Path, fragment: str = "") -> None:
        """Loads a file anew, at the place ``fragment``."""
        self.go(f"{page.as_uri()}#{fragment}")

    def go(self, address: str) -> None:
        """Loads the page at an address anew."""
        self._send("Page.navigate", url="about:blank")
        self._send("Page.navigate", url=address)
        while self._receive().get("method") != "Page.loadEventFired":
            pass
        self.ask("0")

    def wait_for(self, expression: str, seconds: float = 15) -> Any:
        """The value of a JavaScript expression as soon as it is true."""
        until = time.monotonic() + seconds
        while not (found := self.ask(expression)):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.05)
        return found

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Presses keys: a name such as ``Tab``, or characters, which are typed."""
        for key in keys:
            if key in KEYS:
                code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
                text = {"text": "\r"} if key == "Enter" else {}
                self._send("Input.dispatchKeyEvent", type="keyDown", **code, **text)
                self._send("Input.dispatchKeyEvent", type="keyUp", **code)
                continue
            for character in key:
                self._send("Input.dispatchKeyEvent", type="keyDown", key=character, text=character)
                self._send("Input.dispatchKeyEvent", type="keyUp", key=character)

    def picture(self, path: Path) -> None:
        """Writes what the window shows as a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._send("Page.captureScreenshot", format="png")["data"]))

    def end(self) -> None:
        """Closes the browser."""
        self._session = ""
        with suppress(AssertionError, OSError):
            self._send("Browser.close")


@contextmanager
def open_browser(program: str, profile: Path) -> Iterator[Browser]:
    """A browser that reaches no machine but this one, with an empty profile in the folder ``profile``."""
    to_browser, commands = os.pipe()
    answers, from_browser = os.pipe()

    def connect() -> None:  # Chromium reads commands from file 3 and answers to file 4
        os.dup2(os.dup(to_browser), 3)
        os.dup2(os.dup(from_browser), 4)

    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
    arguments += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=connect,  # noqa: PLW1509 - no thread of ours holds a lock here
        close_fds=False,
    )
    os.close(to_browser)
    os.close(from_browser)
    browser = None
    try:
        browser = Browser(commands, answers)
        yield browser
    finally:
        if browser is not None:
            browser.end()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)
