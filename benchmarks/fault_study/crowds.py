"""Crowds of clients at `pg2 serve`: is any answer lost, and does the memory stay?"""

import http.client
import itertools
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fault_study.asking import Material, Request, breaks_http, service_request
from serving import Load, Server

_THREADS = 16  # clients of the mixed requests
_FLAT = 100_000_000  # bytes by which memory may differ between the first quarter and the end


def send(connection: http.client.HTTPConnection, request: Request) -> int:
    """A request just as it is, its headers too; the status of its answer."""
    connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
    given = {name for name, _ in request.headers}
    own = [(b"host", b"127.0.0.1"), (b"content-length", b"%d" % len(request.body))]
    for name, value in [*request.headers, *(header for header in own if header[0] not in given)]:
        connection.putheader(name.decode(), value)
    connection.endheaders(request.body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def mixed(server: Server, material: Material, count: int, seed: int) -> Counter[object]:
    """So many requests, most of them malformed, of a few clients; how often each status came."""
    statuses: Counter[object] = Counter()
    numbers = itertools.count()
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(server.place, timeout=60)
        while (number := next(numbers)) < count:
            request = service_request(random.Random(f"{seed} mixed {number}"), material)
            try:
                status: object = send(connection, request)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # The next connection is as good as any.
                lost = f"lost: {type(error).__name__} at {number}"
                status = "cut off" if breaks_http(request) else lost
                connection.close()
            with lock:
                statuses[status] += 1
        connection.close()

    with ThreadPoolExecutor(_THREADS) as pool:
        for done in [pool.submit(work) for _ in range(_THREADS)]:
            done.result()
    return statuses


def study_crowds(
    material: Material, model: str, clients: int, seconds: float, requests: int, seed: int
) -> dict[str, Any]:
    """Ask for pictures for some seconds, then send all kinds until there were `requests`, then SIGTERM.

    Returns:
        Figures; "faults" is a list of sentences.
    """
    with Server("--model", model, "--queue", clients) as server:
        Load(server, min(clients, 8), 60, 2 * clients).wait()
        memory = [server.metric("process_resident_memory_bytes")]
        load = Load(server, clients, seconds, 10**9).wait()
        statuses: Counter[object] = Counter(load.statuses)
        memory.append(server.metric("process_resident_memory_bytes"))
        left = max(requests - sum(statuses.values()), 0)
        other: Counter[object] = Counter()
        for part in range(4):
            other += mixed(server, material, left // 4, seed + part)
            memory.append(server.metric("process_resident_memory_bytes"))
        last = Load(server, clients, 60, 10**9)
        time.sleep(min(seconds / 10, 5))
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait()
        last.wait()
        log = Path(server._log.name).read_text()
        lines = [
            line for line in server.lines() if str(line.get("request_id")).startswith((load.name, last.name))
        ]
    answered = load.answered | last.answered
    lost = {line["request_id"] for line in lines if line["status"] == 200} - answered
    wrong = [line for line in lines if line["status"] >= 500 and line["status"] != 503]
    lost_of_others = [str(status) for status in other if str(status).startswith("lost")]
    wrong_of_others = [status for status in other if isinstance(status, int) and status >= 500]
    faults = [
        words
        for words, is_so in (
            (f"{len(lost)} answers lost", lost),
            (f"{len(wrong)} answers of 500 and above", wrong),
            (f"clients saw {dict(statuses)}", set(statuses) - {200}),
            (f"malformed requests without an answer: {lost_of_others[:3]}", lost_of_others),
            (f"malformed requests answered {wrong_of_others}", wrong_of_others),
            (f"exit code {code}", code),
            ("a traceback in the log", "Traceback" in log),
            (f"memory grew by {(memory[-1] - memory[2]) / 1e6:.0f} MB", memory[-1] - memory[2] > _FLAT),
        )
        if is_so
    ]
    return {
        "clients": clients,
        "seconds": seconds,
        "pictures": load.describe(),
        "requests": sum(statuses.values()) + sum(other.values()),
        "statuses of mixed": {str(status): number for status, number in sorted(other.items(), key=str)},
        "memory_mb": [round(value / 1e6) for value in memory],
        "sigterm": last.describe(),
        "lost": len(lost),
        "faults": faults,
    }
