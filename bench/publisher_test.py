#!/usr/bin/python3
"""The publisher speaks Redis's and RabbitMQ's protocols as their servers expect, and says so when one refuses.

The servers here only look right, so that nobody needs the real ones.
"""

import contextlib
import json
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import unittest

PROGRAM = pathlib.Path("bench/publisher").absolute()
sys.dont_write_bytecode = True

BODY = b"x" * 100
CONNECTIONS = 3

XADD = b"*5\r\n$4\r\nXADD\r\n$13\r\npillion-bench\r\n$1\r\n*\r\n$4\r\nbody\r\n$100\r\n" + BODY + b"\r\n"
ADDED = b"$15\r\n1692632086370-0\r\n"
DEL = b"*2\r\n$3\r\nDEL\r\n$13\r\npillion-bench\r\n"


class Server:
    """Answers on every connection as `serve(Peer)` does, until the caller leaves."""

    def __init__(self, serve):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.seen = []  # what `serve` returns, for each connection that the caller closed
        self._serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._run, args=[self._listener.accept()[0]], daemon=True).start()

    def _run(self, connection):
        with connection, contextlib.suppress(ConnectionError, EOFError):
            self._serve(Peer(connection, self.seen))

    def close(self):
        self._listener.close()


class Peer:
    """The publisher, as a server sees it."""

    def __init__(self, connection, seen):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._input = connection.makefile("rb")
        self.seen = seen

    def take(self, size):
        taken = self._input.read(size)
        if len(taken) < size:
            raise EOFError
        return taken

    def expect(self, expected):
        """The next bytes are these; otherwise the connection ends, and with it the publisher."""
        taken = self.take(len(expected))
        if taken != expected:
            self.seen.append(("unexpected", taken))
            raise EOFError

    def send(self, *pieces):
        for piece in pieces:
            self._connection.sendall(piece)

    # AMQP: type, channel, size, payload, end.
    def frame(self):
        kind, channel, size = struct.unpack(">BHI", self.take(7))
        payload = self.take(size)
        self.expect(b"\xce")
        return kind, channel, payload

    def call(self, expected, channel):
        """The arguments of the method that comes next, if it is the expected one."""
        kind, channel_of_frame, payload = self.frame()
        if (kind, channel_of_frame, struct.unpack(">HH", payload[:4])) != (1, channel, expected):
            self.seen.append(("unexpected", payload))
            raise EOFError
        return payload[4:]


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, of_class, number, arguments=b""):
    return frame(1, channel, struct.pack(">HH", of_class, number) + arguments)


ACK = method(1, 60, 80, struct.pack(">QB", 1, 0))
HEARTBEAT = frame(8, 0, b"")


def redis(*reply):
    def serve(peer):
        while True:
            first = peer.take(len(DEL))
            if first == DEL:
                peer.seen.append("removed")
                peer.send(b":1\r\n")
                continue
            peer.expect(XADD[len(DEL) :])
            peer.send(*reply)

    return serve


def open_amqp(peer):
    """Up to confirm.select, with what the publisher said on the way in `seen`."""
    peer.expect(b"AMQP\0\0\x09\x01")
    peer.send(HEARTBEAT, method(0, 10, 10, b"\0\x09" + struct.pack(">I", 0) * 3))
    peer.seen.append(peer.call((10, 11), 0))
    peer.send(method(0, 10, 30, struct.pack(">HIH", 2047, 131072, 60)))
    peer.seen.append(struct.unpack(">HIH", peer.call((10, 31), 0)))
    peer.seen.append(peer.call((10, 40), 0))
    peer.send(method(0, 10, 41, b"\0"))
    peer.call((20, 10), 1)
    peer.send(method(1, 20, 11, b"\0\0\0\0"))
    peer.seen.append(peer.call((50, 10), 1))
    peer.send(method(1, 50, 11, b"\x0dpillion-bench" + b"\0" * 8))
    peer.call((85, 10), 1)
    peer.send(method(1, 85, 11))


def amqp(*reply):
    def serve(peer):
        open_amqp(peer)
        while True:
            kind, channel, payload = peer.frame()
            if payload[:4] == struct.pack(">HH", 50, 40):
                peer.seen.append("removed")
                peer.send(method(1, 50, 41, b"\0\0\0\0"))
                continue
            if (kind, channel, payload) != (1, 1, b"\0\x3c\0\x28" + b"\0\0\0\x0dpillion-bench\0"):
                peer.seen.append(("unexpected", payload))
                return
            # A body of 100 bytes, persistent.
            peer.expect(frame(2, 1, struct.pack(">HHQHB", 60, 0, 100, 1 << 12, 2)))
            peer.expect(frame(3, 1, BODY))
            peer.send(*reply)

    return serve


class Publishers(unittest.TestCase):
    def publish(self, protocol, serve):
        """(status, output) of the publisher, and what the server saw."""
        server = Server(serve)
        self.addCleanup(server.close)
        command = [PROGRAM, protocol, "--port", server.port, "--connections", CONNECTIONS]
        command += ["--seconds", 1, "--bytes", len(BODY)]
        done = subprocess.run(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )
        return (done.returncode, done.stdout), server.seen

    def expect_result(self, done):
        status, output = done
        self.assertEqual(status, 0, output)
        result = json.loads(re.fullmatch(r"result (\{.*\})\n", output)[1])
        self.assertGreater(result["requests"], CONNECTIONS)
        self.assertGreaterEqual(result["duration_us"], 1_000_000)
        self.assertGreaterEqual(result["p99_us"], result["p50_us"])

    def test_entries_are_added_to_a_stream_of_redis_which_is_removed_after_all(self):
        done, seen = self.publish("redis", redis(ADDED))
        self.expect_result(done)
        self.assertEqual(seen, ["removed"])

    def test_replies_may_come_in_pieces(self):
        pieces = [ADDED[:1], ADDED[1:4], ADDED[4:10], ADDED[10:-1], ADDED[-1:]]
        done, _ = self.publish("redis", redis(*pieces))
        self.expect_result(done)
        done, _ = self.publish("amqp-classic", amqp(HEARTBEAT + ACK[:3], ACK[3:9], ACK[9:]))
        self.expect_result(done)

    def test_messages_are_persistent_in_a_durable_queue_of_rabbitmq_which_is_removed_after_all(self):
        for queue_type in [b"classic", b"quorum"]:
            done, seen = self.publish(f"amqp-{queue_type.decode()}", amqp(ACK))
            self.expect_result(done)
            self.assertEqual(seen.count("removed"), 1)
            self.assertEqual(seen.count(b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"), CONNECTIONS)
            self.assertEqual(seen.count((1, 131072, 0)), CONNECTIONS)  # and no heartbeats
            self.assertEqual(seen.count(b"\x01/\0\0"), CONNECTIONS)
            table = b"\x0cx-queue-typeS" + struct.pack(">I", len(queue_type)) + queue_type
            declared = b"\0\0\x0dpillion-bench\x02" + struct.pack(">I", len(table)) + table
            self.assertEqual(seen.count(declared), CONNECTIONS)

    def test_what_a_server_refuses_or_says_wrongly_ends_the_publisher_with_the_reason(self):
        closed = method(1, 20, 40, struct.pack(">H", 404) + b"\x09NOT_FOUND" + b"\0\0\0\0")
        for protocol, serve, reason in [
            ("redis", redis(b"-OOM command not allowed\r\n"), "OOM command not allowed"),
            ("redis", redis(b":1\r\n"), "expected"),
            ("redis", redis(b"$x\r\n"), "not a reply in RESP"),
            ("redis", redis(b"HTTP/1.1 200 OK\r\n"), "not a reply in RESP"),
            ("amqp-classic", lambda peer: peer.send(b"AMQP\0\0\x09\x01"), "no AMQP 0-9-1"),
            ("amqp-classic", amqp(closed), "404 NOT_FOUND"),
            ("amqp-classic", amqp(method(1, 20, 40)), "closed without a reason"),
            ("amqp-classic", amqp(method(1, 60, 120, b"\0" * 9)), "basic.nack"),
            ("amqp-classic", amqp(method(1, 50, 11)), "expected"),
            ("amqp-classic", amqp(ACK[:-1] + b"x"), "without its end"),
            ("amqp-classic", amqp(frame(3, 1, b"x")), "nobody asked for"),
            ("amqp-classic", amqp(b"\x01\0\0\xff\xff\xff\xff"), "no AMQP 0-9-1"),
            ("amqp-classic", lambda peer: peer.take(8), "closed a connection"),
        ]:
            with self.subTest(f"{protocol}: {reason}"):
                (status, output), _ = self.publish(protocol, serve)
                self.assertEqual(status, 1)
                self.assertIn(reason, output)

    def test_a_wrong_command_line_gets_the_right_one(self):
        for arguments in [[], ["http", "--port", "1", "--connections", "1", "--seconds", "1", "--bytes", "1"]]:
            done = subprocess.run(
                [PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, timeout=10, check=False
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage: publisher redis|", done.stderr)


if __name__ == "__main__":
    unittest.main()
