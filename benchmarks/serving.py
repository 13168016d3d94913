"""`pg2 serve` under load on loopback: what micro-batching gains, how long clients wait, what a stop loses.

Clients ask one after another, each on a connection of its own, for a photo whose person is known, so that the
network is most of the work. Exits with 1 if any answer was a 5xx, or a stop under load lost a request.
"""

import argparse
import http.client
import itertools
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from timing import Ratio

from pg2.io.packaged import SAMPLES
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import Pose
from pg2.serving.schemas import Keypoints

PEOPLE = ("00003/00.jpg", "00009/00.jpg", "00015/00.jpg")
"""Of whom clients ask in turns: an engine that keeps what the last photo said is to gain nothing by it."""


def body(person: str = PEOPLE[0]) -> bytes:
    """A request for a picture, as a form."""
    pose = Pose(read_keypoints_csv(SAMPLES / "keypoints.csv")[person], (256, 256))
    parts = {
        'name="pose"': b"walking",
        'name="source_pose"': Keypoints.of(pose).model_dump_json().encode(),
        'name="photo"; filename="a.jpg"': (SAMPLES / person).read_bytes(),
    }
    lines = (
        f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode() + value + b"\r\n"
        for name, value in parts.items()
    )
    return b"".join(lines) + b"--x--\r\n"


class Server:
    """A `pg2 serve` of its own."""

    def __init__(self, *arguments: object) -> None:
        self._log = tempfile.NamedTemporaryFile("r", suffix=".log")  # noqa: SIM115
        command = [sys.executable, "-m", "pg2", "serve", "--port", "0", *map(str, arguments)]
        with Path(self._log.name).open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)
        while not (ready := [line for line in self.lines() if line["message"] == "ready"]):
            if self.process.poll() is not None:
                raise SystemExit(Path(self._log.name).read_text())
            time.sleep(0.1)
        assert ready
        self.place = urlsplit(self.lines()[0]["url"]).netloc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._log.close()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        whole, _, _ = Path(self._log.name).read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def metric(self, name: str) -> float:
        """One of its metrics, summed over the labels."""
        connection = http.client.HTTPConnection(self.place)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)))


class Load:
    """Clients that ask until their time is up, or enough has been asked."""

    def __init__(self, server: Server, clients: int, seconds: float, most: int) -> None:
        self.statuses: Counter[object] = Counter()
        self.times: list[float] = []
        self.answered: set[str] = set()
        self.name = uuid.uuid4().hex
        self._place, self._bodies = server.place, [body(person) for person in PEOPLE]
        self._numbers = iter(range(most))
        self._end = time.perf_counter() + seconds
        self._began = time.perf_counter()
        self._threads = [threading.Thread(target=self._ask, args=(name,)) for name in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> Self:
        for thread in self._threads:
            thread.join()
        self.seconds = time.perf_counter() - self._began
        return self

    def _ask(self, name: int) -> None:
        connection = http.client.HTTPConnection(self._place, timeout=60)
        for number in itertools.takewhile(lambda _: time.perf_counter() < self._end, self._numbers):
            request_id = f"{self.name}-{name}-{number}"
            headers = {"Content-Type": "multipart/form-data; boundary=x", "X-Request-ID": request_id}
            began = time.perf_counter()
            try:
                asked = self._bodies[number % len(self._bodies)]
                connection.request("POST", "/v1/generate", asked, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                break
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.answered.add(request_id)
                self.times.append(time.perf_counter() - began)
            elif answer.status == 503:
                break
        connection.close()

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return len(self.times) / self.seconds

    def describe(self) -> str:
        times = sorted(self.times) or [0.0]
        half, most = (times[min(int(len(times) * share), len(times) - 1)] for share in (0.5, 0.99))
        statuses = ", ".join(
            f"{count} x {status}" for status, count in sorted(self.statuses.items(), key=str)
        )
        return f"{self.rate:.1f} pictures/s, p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms; {statuses}"


def main() -> None:
    options = _options()
    _, failed = study(options)
    sys.exit(failed)


def ratios(*arguments: str) -> list[Ratio]:
    """Seconds a picture, one by one and batched; `arguments` as on the command line.

    Raises:
        RuntimeError: an answer was wrong or lost.
    """
    ratio, failed = study(_options(arguments))
    if failed:
        raise RuntimeError("the service failed under load; see above")
    return [ratio]


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60, help="of all the load together")
    parser.add_argument("--requests", type=int, default=50_000, help="of each of the five parts, at most")
    parser.add_argument("--model", default="fast/market1501")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=None)
    return parser.parse_args(arguments)


def study(options: argparse.Namespace) -> tuple[Ratio, bool]:
    """All of it; seconds a picture without and with batches, and whether anything failed."""
    common: list[object] = ["--model", options.model, "--precision", options.precision]
    common += ["--queue", options.clients]
    if options.threads:
        common += ["--threads", options.threads]
    part, failed = options.seconds / 5, False
    print(f"{options.clients} clients, {options.model} in {options.precision}, {part:g} s a part")

    rates: dict[str, list[float]] = {"one by one": [], "batched": []}
    with (
        Server(*common, "--batch", 1, "--batch-wait", 0) as single,
        Server(*common, "--batch", options.batch) as batching,
    ):
        servers = {"one by one": single, "batched": batching}
        for server in servers.values():
            Load(server, options.clients, 60, 2 * options.clients).wait()
        before = {name: server.metric("process_resident_memory_bytes") for name, server in servers.items()}
        # In turns, so that a machine that slows down meanwhile slows both.
        for name, server in [*servers.items()] * 2:
            load = Load(server, options.clients, part, options.requests).wait()
            rates[name].append(load.rate)
            failed |= any(status != 429 and status != 200 for status in load.statuses)
            print(f"{name}: {load.describe()}")
        for name, server in servers.items():
            after = server.metric("process_resident_memory_bytes")
            size = server.metric("pg2_batch_size_sum") / server.metric("pg2_batch_size_count")
            print(
                f"{name}: {size:.1f} requests a run; memory {before[name] / 1e6:.0f} MB after warming up, "
                f"{after / 1e6:.0f} MB at the end"
            )
        # Each way had two turns.
        seconds = {name: 2 / sum(found) for name, found in rates.items()}
        ratio = Ratio(f"a picture of the service, {options.clients} clients: batches", *seconds.values())
        print(f"batched / one by one: {ratio.times:.2f}")

        load = Load(batching, options.clients, 60, options.requests)
        time.sleep(part / 2)
        batching.process.send_signal(signal.SIGTERM)
        code = batching.process.wait()
        load.wait()
        lines = [line for line in batching.lines() if str(line.get("request_id")).startswith(load.name)]
        lost = {line["request_id"] for line in lines if line["status"] == 200} - load.answered
        wrong = [line for line in lines if line["status"] >= 500 and line["status"] != 503]
        failed |= bool(lost or wrong or code)
        print(f"SIGTERM under load: {load.describe()}; exit code {code}, {len(lost)} answers lost")
    return ratio, failed


if __name__ == "__main__":
    main()
