"""What connections cost that nobody uses."""

import load
from contenders import BASELINE

CONNECTIONS = 10_000

# Files that a contender has open besides, and a second one for each connection of a relay.
SPARE = 400


class Idle:
    """Connections through each contender that made one call and then keep still."""

    title = f"{CONNECTIONS:,} idle connections"

    def __call__(self, bench):
        notes = []
        count = min(CONNECTIONS, (bench.open_files - SPARE) // 2)
        if count < CONNECTIONS:
            notes.append(f"Only {count:,} connections: a process may open {bench.open_files:,} files here")
        figures = {}
        with bench.starter() as starter:
            for name, server in bench.start_all(starter, notes).items():
                bench.progress(f"{count:,} connections: {name}")
                with load.idle_callers(server.port, 10):
                    before = server.process.memory_kib()
                with load.idle_callers(server.port, count):
                    after = server.process.memory_kib()
                server.process.expect_running()
                figures[name] = {"connections": count, "before_kib": before, "after_kib": after}
        return {
            "kind": "idle",
            "title": self.title,
            "baseline": BASELINE,
            "contenders": figures,
            "notes": notes,
        }
