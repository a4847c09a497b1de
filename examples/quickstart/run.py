"""tools/quickstart: one service's plain HTTP calls, and four things that a policy makes of them.

Starts a small mesh (mesh.py), tells the story (story.py), and stays up to be played with.
"""

import argparse
import contextlib
import pathlib
import shutil
import signal
import sys
import tempfile
import time

try:
    import requests
except ImportError:
    sys.exit("tools/quickstart: Debian's python3-requests is missing. Run tools/setup")

import screen
from mesh import Mesh, MeshError, find_programs
from screen import StepFailed, say, step
from story import Story


def invite(mesh):
    step("It stays up. Try, in another terminal:")
    sidecar, users = (
        mesh.web_sidecar,
        "'http://users/user/?user_id=3' -H 'Authorization: Bearer me'",
    )
    control = mesh.rest
    for what, how in [
        ("the call of web", f"curl {mesh.service('web')}/profile/3"),
        ("the same, as web makes it", f"curl -x {sidecar} {users}"),
        ("edit the policy", f"${{EDITOR:-nano}} {mesh.work}/policy/users.yaml"),
        (
            "why a call goes where it goes",
            f"{mesh.programs['pillionctl']} explain --policy {mesh.work}/policy GET {users}",
        ),
        ("who runs which policy", f"{mesh.programs['pillionctl']} status --control {control}"),
        ("control", f"curl {control}/v1/nodes"),
        (
            "web's sidecar",
            f"curl {mesh.url(15000)}/clusters    (/config_dump /stats/prometheus /ready)",
        ),
        (
            "what was received",
            f"curl {mesh.service('billing')}/purchases {mesh.service('audit')}/records",
        ),
        (
            "make users slow",
            f"curl -X PUT {mesh.service('users')}/slow -H 'Content-Type: application/json' -d '{{\"seconds\": 5}}'",
        ),
        ("the logs", f"ls {mesh.work}/logs"),
    ]:
        screen.line(f"  {what}")
        screen.line("    " + screen.paint("cyan", how))
    screen.line()
    screen.line("Ctrl-C ends it.")


def stay(mesh):
    """Until Ctrl-C. Says what the user has ended in the meantime, as what then happens is worth a look, too."""
    said = set()
    while True:
        for name in mesh.ended().keys() - said:
            screen.line(f"{name} has ended. To start it again:  {mesh.command_line(name)}")
            said.add(name)
        time.sleep(0.5)


def run(options, programs, work):
    mesh = Mesh(programs, work, usual_ports=not options.once)
    try:
        say(
            f"Starting control, and the services web, users, billing and audit with a sidecar each, in {work}"
        )
        mesh.start()
        screen.line(
            f"  control {mesh.rest}, web {mesh.service('web')}, web's sidecar {mesh.web_sidecar}"
        )
        Story(mesh).tell()
        mesh.check_alive()
        if not options.once:
            invite(mesh)
            with contextlib.suppress(KeyboardInterrupt):
                stay(mesh)
            screen.line()
            screen.line("Ending.")
    except BaseException:
        mesh.stop()
        raise
    bad = mesh.stop()
    if bad:
        raise StepFailed(f"every process ends cleanly; not so {', '.join(bad)}")


def started_by_hand(work):
    """The processes that run in the folder after the mesh has ended, for people."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # It ends, or is somebody else's.
            if entry.name.isdigit() and (entry / "cwd").resolve() == work.resolve():
                found.append(f"{(entry / 'comm').read_text().strip()} (process {entry.name})")
    return found


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/quickstart",
        description="Builds Pillion, starts a small mesh of real services, and shows what a policy makes of their calls.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the story, with exit status 0 only if every step did what it should",
    )
    parser.add_argument(
        "--bin-dir",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="take the programs from DIR, which is laid out like bazel-bin, and build nothing",
    )
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    for each in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # SIGINT, too: a shell's `&` ignores it.
        signal.signal(each, signal.default_int_handler)
    try:
        programs = find_programs(options.bin_dir)
    except MeshError as error:
        sys.exit(f"tools/quickstart: {error}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="pillion-quickstart-"))
    try:
        run(options, programs, work)
    except KeyboardInterrupt:
        screen.line("Interrupted.")
        status = 130
    except (MeshError, StepFailed, requests.RequestException, KeyError, ValueError) as error:
        what = "This should have been so, but is not: " if isinstance(error, StepFailed) else ""
        print(
            f"{screen.paint('red', 'tools/quickstart failed.')} {what}{error}\nLogs and state stay in {work}",
            file=sys.stderr,
            flush=True,
        )
        return 1
    else:
        status = 0
        if options.once:
            screen.line()
            screen.line("Every step did what it should.")
    left = started_by_hand(work)
    if left:
        print(f"Started by hand, and still running: {', '.join(left)}. Their files stay in {work}", flush=True)
    else:
        shutil.rmtree(work)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
