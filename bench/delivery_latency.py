"""How long it takes from the 202 of a call until the call is delivered, with the caller and the subscriber in one
thread, so that both times are read from one clock in the order in which things happened."""

import contextlib
import re
import selectors
import socket
import time

from load import LoadError

# Pillion is idle most of the time.
RATE = 100  # calls a second
BODY_BYTES = 256

WITHIN = 30  # seconds, for all calls to be delivered after the last one

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
DELIVERED = b"HTTP/1.1 204 No Content\r\n\r\n"


class Messages:
    """What arrives on a connection, cut into HTTP messages that have a Content-Length or no body."""

    def __init__(self):
        self._received = b""

    def add(self, received):
        """[(head, body)] of the messages that are complete with these bytes."""
        self._received += received
        complete = []
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[: end + 2]
            length = CONTENT_LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < size:
                break
            complete.append((head, self._received[end + 4 : size]))
            self._received = self._received[size:]
        return complete


class Subscriber:
    """A service that notes when it gets which call, and makes these calls itself. A context manager."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self._listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = self._listener.getsockname()[1]
        self._selector = self._stack.enter_context(selectors.DefaultSelector())
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def measure(self, port, path, calls):
        """Makes so many calls of the sidecar that listens on `port`, one by one, at RATE.

        Returns [(us from the call to the 202, us from the 202 to the delivery), for each call]. Both are on their way
        at the same time: the second is below 0 if the delivery was there first.
        """
        called, accepted, delivered = [], [], {}
        self._on_delivery = lambda body, now: delivered.setdefault(int(body), now)
        with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as caller:
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._watch(caller, lambda head, _: accepted.append(_accepted_now(head)))
            begin = time.perf_counter()
            for number in range(calls):
                self._run(lambda due=begin + number / RATE: time.perf_counter() >= due)
                called.append(time.perf_counter())
                caller.sendall(_call(path, number))
                self._run(lambda expected=number + 1: len(accepted) >= expected)
            self._run(lambda: len(delivered) == calls)
            self._selector.unregister(caller)
        return [
            (1e6 * (accepted[number] - called[number]), 1e6 * (delivered[number] - accepted[number]))
            for number in range(calls)
        ]

    def _run(self, is_done):
        """Does what there is to do until it is done."""
        deadline = time.perf_counter() + WITHIN
        while not is_done():
            if time.perf_counter() > deadline:
                raise LoadError(f"a call was not accepted or not delivered within {WITHIN} s")
            for key, _ in self._selector.select(timeout=0.0005):
                key.data()

    def _accept(self):
        connection = self._stack.enter_context(self._listener.accept()[0])
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def deliver(_, body):
            self._on_delivery(body, time.perf_counter())
            connection.sendall(DELIVERED)

        self._watch(connection, deliver)

    def _watch(self, connection, take):
        messages = Messages()

        def read():
            received = connection.recv(65536)
            if not received:
                self._selector.unregister(connection)
            for message in messages.add(received):
                take(*message)

        self._selector.register(connection, selectors.EVENT_READ, read)


def _accepted_now(head):
    if not head.startswith(b"HTTP/1.1 202 "):
        raise LoadError(f"a call got {head[:60]!r} instead of 202")
    return time.perf_counter()


def _call(path, number):
    body = f"{number:0{BODY_BYTES}}"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    return (head + body).encode()
