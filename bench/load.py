"""The load generators: wrk for as many calls as possible, our publisher for what does not speak HTTP, h2load for
calls at a fixed rate, and idle callers."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile

from stats import percentile

SCRIPT = pathlib.Path(__file__).parent / "wrk.lua"

# A load generator that has not ended so long after it should have is stuck.
GRACE = 30  # seconds

# Those of a browser's call through a gateway: 30 with the Host that each generator adds.
REALISTIC_HEADERS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.7,de;q=0.3",
    "accept-encoding": "gzip, deflate, br, zstd",
    "referer": "https://shop.example.com/products/4711?colour=green&size=m",
    "origin": "https://shop.example.com",
    "cookie": "session=6f1b0c5e9a5d4d1fb0c2d0d8; consent=necessary%2Cstatistics; cart=3f9a; theme=dark",
    "authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkFkYSJ9.c2lnbmF0dXJl",
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "dnt": "1",
    "if-none-match": '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "if-modified-since": "Wed, 21 Oct 2026 07:28:00 GMT",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "sec-fetch-user": "?1",
    "sec-gpc": "1",
    "upgrade-insecure-requests": "1",
    "priority": "u=0, i",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "shop=00f067aa0ba902b7",
    "baggage": "userId=4711,serverNode=DF28,isProduction=true",
    "x-request-id": "9f0f5d0e-2b5c-4b8e-9a77-6f1c0e3f5b1d",
    "x-forwarded-for": "203.0.113.195, 198.51.100.178",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.example.com",
    "x-tenant": "shop-eu-west",
    "x-client-version": "web/2026.11.3",
}


class LoadError(Exception):
    """A load generator did not give a result."""


def _run(command, seconds):
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + GRACE,
            check=False,
        )
    except FileNotFoundError as error:
        raise LoadError(f"{command[0]} is missing: run bench/setup") from error
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{command[0]} did not end: {' '.join(map(str, command))}") from error
    if done.returncode != 0:
        raise LoadError(f"{command[0]} failed:\n{done.stdout[-2000:]}")
    return done.stdout


def closed_loop(url, connections, seconds, body_bytes=0, headers=None):
    """As many calls as `connections` make that each wait for their answer.

    Returns {"requests", "rate" (a second), "p50_us", "p99_us", "refused" (not 2xx or 3xx), "broken"}.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", SCRIPT]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    output = _run([*command, url, "--", body_bytes], seconds)
    result = read_closed_loop("wrk", output)
    if result["requests"] == 0:
        raise LoadError(f"no call of {url} was answered:\n{output[-2000:]}")
    return result


def publishing(program, protocol, port, connections, seconds, body_bytes):
    """As many messages as `connections` publish that each wait for their confirmation, by publisher.cc.

    Returns what closed_loop does.
    """
    # fmt: off
    command = [program, protocol, "--port", port, "--connections", connections, "--seconds", seconds,
               "--bytes", body_bytes]
    # fmt: on
    return read_closed_loop("publisher", _run(command, seconds))


def read_closed_loop(generator, output):
    """From the line that wrk.lua and publisher.cc write among others."""
    found = re.search(r"^result (\{.*\})$", output, re.MULTILINE)
    if not found:
        raise LoadError(f"{generator} gave no result:\n{output[-2000:]}")
    result = json.loads(found[1])
    result["rate"] = result["requests"] * 1e6 / result.pop("duration_us")
    return result


def fixed_rate(url, connections, seconds, rate):
    """`rate` calls a second, in turns of one a connection.

    Returns {"requests", "rate" (reached, a second), "p50_us", "p99_us", "failed"}.
    """
    with tempfile.TemporaryDirectory(prefix="pillion-bench-") as scratch:
        log = pathlib.Path(scratch) / "log"
        output = _run(
            # fmt: off
            ["h2load", "--h1", "-t1", f"-c{connections}", "-D", seconds, f"--rps={rate / connections:.3f}",
             f"--log-file={log}", url],
            # fmt: on
            seconds,
        )
        lines = [line.split("\t") for line in log.read_text(encoding="ascii").splitlines()]
    return read_fixed_rate(output, lines, seconds)


def read_fixed_rate(output, lines, seconds):
    """From h2load's text and its log: lines of start, status (-1: none) and duration in us."""
    counts = re.search(r"requests: .* (\d+) failed, (\d+) errored, (\d+) timeout", output)
    if not counts or not lines:
        raise LoadError(f"h2load gave no result:\n{output[-2000:]}")
    good = [int(duration) for _, status, duration in lines if status.startswith("2")]
    refused = len(lines) - len(good)
    if not good:
        raise LoadError(f"h2load got no good answer:\n{output[-2000:]}")
    return {
        "requests": len(lines),
        "rate": len(lines) / seconds,
        "p50_us": percentile(good, 50),
        "p99_us": percentile(good, 99),
        # "failed" includes what is errored or timed out; answers like 503 are in the log only.
        "failed": max(refused, *map(int, counts.groups())),
    }


@contextlib.contextmanager
def idle_callers(port, count):
    """`count` connections that each made a call and now keep still. Gives how many there are."""
    call = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(count):
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                stack.enter_context(connection)
                connection.sendall(call)
                answer = connection.recv(4096)
            except OSError as error:
                raise LoadError(f"connection {number + 1} of {count}: {error}") from error
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise LoadError(f"connection {number + 1} of {count} got {answer[:60]!r}")
        yield count
