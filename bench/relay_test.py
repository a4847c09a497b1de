#!/usr/bin/python3
"""The origin answers as it says, and what comes through the relays is what the origin sent."""

import http.client
import os
import pathlib
import socket
import sys
import threading
import unittest

PLACE = pathlib.Path("bench").absolute()
sys.dont_write_bytecode = True
sys.path.insert(0, str(PLACE))

from processes import Process, StartError  # noqa: E402

SCRATCH = pathlib.Path(os.environ["TEST_TMPDIR"])


class Servers(unittest.TestCase):
    def setUp(self):
        origin = self.start("origin")
        self.ports = {"origin": origin}
        for relay in ["relay_epoll", "relay_uring"]:
            try:
                self.ports[relay] = self.start(relay, "--upstream", origin)
            except StartError as error:
                # Containers often forbid io_uring; nothing can be tested there.
                if "io_uring_queue_init_params" not in str(error):
                    raise

    def start(self, program, *arguments):
        command = [PLACE / program, "--listen", 0, *arguments]
        process = Process(program, command, SCRATCH / f"{program}.log")
        self.addCleanup(process.stop)
        return int(process.wait_for(r"listening on (\d+)\n")[1])

    def each(self):
        for name, port in self.ports.items():
            with self.subTest(name):
                yield port

    def connect(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, method, path, **what):
        connection.request(method, path, **what)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def test_small_answer_has_70_bytes_of_json_and_the_connection_stays(self):
        for port in self.each():
            connection = self.connect(port)
            for _ in range(3):
                status, body = self.ask(connection, "GET", "/")
                self.assertEqual((status, len(body), body[:1]), (200, 70, b"{"))

    def test_bytes_come_in_the_number_asked_for(self):
        for port in self.each():
            connection = self.connect(port)
            for size in [0, 1, 65536, 1 << 20, 30_000_000]:
                status, body = self.ask(connection, "GET", f"/bytes/{size}")
                self.assertEqual((status, len(body)), (200, size))

    def test_body_of_a_request_is_read_before_the_answer(self):
        for port in self.each():
            connection = self.connect(port)
            for size in [0, 1, 65536, 5_000_000]:
                status, body = self.ask(connection, "POST", "/", body=b"x" * size)
                self.assertEqual((status, len(body)), (200, 70))

    def test_headers_do_not_matter(self):
        for port in self.each():
            headers = {f"x-header-{number}": "v" * 50 for number in range(30)}
            self.assertEqual(self.ask(self.connect(port), "GET", "/headers", headers=headers)[0], 200)

    def test_what_the_origin_does_not_know_gets_400_and_the_end(self):
        for port in self.each():
            for request in [b"GET /\r\n\r\n", b"GET /bytes/x HTTP/1.1\r\n\r\n", CHUNKED]:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    connection.sendall(request)
                    self.assertTrue(read_to_end(connection).startswith(b"HTTP/1.1 400 "))

    def test_requests_in_one_piece_are_answered_one_after_the_other(self):
        one = b"GET /bytes/9000000 HTTP/1.1\r\n\r\n"
        for port in self.each():
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(one * 5)
                connection.shutdown(socket.SHUT_WR)
                answers = read_to_end(connection)
            self.assertEqual(answers.count(b"HTTP/1.1 200 "), 5)
            self.assertEqual(answers.count(b"x" * 9000000), 5)

    def test_request_that_comes_in_pieces_is_answered(self):
        request = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
        for port in self.each():
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in request:
                    connection.sendall(bytes([byte]))
                connection.shutdown(socket.SHUT_WR)
                self.assertTrue(read_to_end(connection).startswith(b"HTTP/1.1 200 "))

    def test_many_callers_at_once_get_their_own_answers(self):
        for port in self.each():
            wrong = []

            def call(size, port=port, wrong=wrong):
                connection = self.connect(port)
                for _ in range(10):
                    if self.ask(connection, "GET", f"/bytes/{size}") != (200, b"x" * size):
                        wrong.append(size)

            callers = [threading.Thread(target=call, args=(1000 * i,)) for i in range(40)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            self.assertEqual(wrong, [])

    def test_caller_who_leaves_in_the_middle_harms_nobody(self):
        for port in self.each():
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    connection.sendall(b"GET /bytes/10000000 HTTP/1.1\r\n\r\n")
                    connection.recv(1000)
            self.assertEqual(self.ask(self.connect(port), "GET", "/")[0], 200)


class Starting(unittest.TestCase):
    def test_a_program_that_ends_is_named_with_what_it_said(self):
        process = Process("nobody", [PLACE / "relay_epoll"], SCRATCH / "nobody.log")
        self.addCleanup(process.stop)
        with self.assertRaisesRegex(StartError, r"(?s)nobody ended with status 2; .*usage: .*--upstream"):
            process.wait_for("listening")

    def test_a_program_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(StartError, "nobody cannot be run: /no/such: No such file"):
            Process("nobody", ["/no/such"], SCRATCH / "nobody.log")


def read_to_end(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


if __name__ == "__main__":
    unittest.main()
