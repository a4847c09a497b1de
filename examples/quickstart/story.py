"""The steps of the quickstart: what an edit of the policy makes of the same calls of the same services.

Each step shows real requests and answers, and raises StepFailed unless they are as they should be.
"""

import json
import time

import requests

import screen
from mesh import wait_for
from screen import check, say, step

FORWARD = """  - name: read a user
    match: { path: /user/, methods: [GET] }
    route: { cluster: users }
"""
ASYNC = FORWARD.replace("route:", "async:")

PURCHASE_TO_BILLING = "    route: { cluster: billing }\n  - name: all other calls\n"
PURCHASE_PUBLISHED = "    publish: { topic: purchase.made }\n  - name: all other calls\n"
REST_OF_BILLING = """    match: { prefix: / }
    route: { cluster: billing }
"""
PURCHASE_SUBSCRIPTIONS = """
subscriptions:
- { name: billing-on-purchase, topic: purchase.made, cluster: billing, path: /purchases }
- { name: audit-on-purchase, topic: purchase.made, cluster: audit, path: /records }
"""

REST_OF_USERS = """    match: { prefix: / }
    route: { cluster: users }
"""
EMIT = """    emit: [{ topic: user.changed, methods: [PUT] }]

subscriptions:
- { name: billing-on-user, topic: user.changed, cluster: billing, path: /customer-changed }
- { name: audit-on-user, topic: "user.*", cluster: audit, path: /records }
"""

MISTAKES = FORWARD.replace("{ cluster: users }", "{ cluster: user, timout: 5s }")
AUTHORIZATION = {"Authorization": "Bearer web-7f3a"}
SLOW_SECONDS = 2


class Story:
    def __init__(self, mesh):
        self.mesh = mesh

    def call_web(self, method, path, body=None, shown=True):
        """What a customer's browser does."""
        url = self.mesh.service("web") + path
        if shown:
            data = (
                f" -H 'Content-Type: application/json' -d '{screen.compact(body)}'" if body else ""
            )
            verb = f" -X {method}" if method not in ("GET", "POST") else ""
            screen.command(f"curl{verb} {url}{data}")
        response = requests.request(method, url, json=body, timeout=60)
        if shown:
            screen.answer(response)
        return response

    def call_mesh(self, url, shown=True):
        """What web can do, too: a plain call to a name, by way of its sidecar."""
        if shown:
            screen.command(f"curl -x {self.mesh.web_sidecar} {url}")
        return requests.get(
            url, headers=AUTHORIZATION, proxies={"http": self.mesh.web_sidecar}, timeout=90
        )

    def edit(self, name, *replacements):
        """Edits a policy file and waits until every sidecar runs the result."""
        before, _ = self.mesh.versions()
        changes = self.mesh.edit(name, *replacements)
        started = time.monotonic()
        screen.edit(self.mesh.policy_file(name), changes)
        version = self.mesh.wait_until_in_force(other_than=before)
        screen.line(
            f"    in force at all sidecars after {(time.monotonic() - started) * 1000:.0f} ms: version {version}"
        )

    def make_users_slow(self, seconds):
        answer = requests.put(
            self.mesh.service("users") + "/slow", json={"seconds": seconds}, timeout=10
        )
        check(f"users needs {seconds} s for an answer from now on", answer.ok)

    def tell(self):
        self.forwarded()
        self.asynchronous()
        self.published()
        self.announced()
        self.mistaken()

    def forwarded(self):
        step("1. Forwarded")
        say(
            "web asks users for a user: requests.get('http://users/user/?user_id=1', headers={'Authorization': ...}). The "
            "policy says `route`, so its sidecar forwards the call and returns the answer."
        )
        response = self.call_web("GET", "/profile/1")
        check(
            "web got the answer of users",
            response.status_code == 200 and response.json()["name"] == "Ada Lovelace",
        )
        self.user = response.json()

    def asynchronous(self):
        step("2. The same call, asynchronous")
        say("users has a bad day. Whoever calls it has to wait:")
        self.make_users_slow(SLOW_SECONDS)
        response = self.call_web("GET", "/profile/1")
        check(
            "web waited for it",
            response.status_code == 200 and response.elapsed.total_seconds() >= SLOW_SECONDS,
        )
        say(
            "One word of the policy makes it a call that is accepted now and answered later. web is not touched:"
        )
        self.edit("users.yaml", (FORWARD, ASYNC))
        response = self.call_web("GET", "/profile/1")
        accepted = response.json()
        check(
            "web got 202 and a statusUrl, at once",
            response.status_code == 202
            and "statusUrl" in accepted
            and response.elapsed.total_seconds() < SLOW_SECONDS,
        )
        say(
            "The statusUrl is a plain URL on the name that web called, so web's way to it is the same:"
        )
        result_url = self.poll(accepted["statusUrl"])
        result = self.call_mesh(result_url)
        screen.answer(result)
        check(
            "the result is the answer of users",
            result.status_code == 200 and result.json() == self.user,
        )
        self.make_users_slow(0)
        say("And back, as easily:")
        self.edit("users.yaml", (ASYNC, FORWARD))
        response = self.call_web("GET", "/profile/1")
        check(
            "web got the answer itself again",
            response.status_code == 200 and response.json() == self.user,
        )

    def poll(self, status_url):
        """Follows an operation to its end, showing every change. Returns the URL of its result."""
        screen.command(f"curl -x {self.mesh.web_sidecar} {status_url}      (again and again)")
        shown = []

        def finished():
            response = self.call_mesh(status_url, shown=False)
            operation = response.json()
            if operation["status"] not in shown:
                shown.append(operation["status"])
                screen.answer(response, "Retry-After", after=False)
            return operation if operation["status"] not in ("pending", "running") else None

        operation = wait_for(f"the end of {status_url}", finished, seconds=60)
        check(f"the call went {' -> '.join(shown)}", shown[-1] == "succeeded" and len(shown) > 1)
        return operation["resultUrl"]

    def published(self):
        step("3. Published")
        order = {"user_id": 1, "item": "difference engine", "price": 1725}
        say(
            "web sells something and tells billing: requests.post('http://billing/purchases', json=...)."
        )
        response = self.call_web("POST", "/buy", order)
        check(
            "billing wrote an invoice",
            response.status_code == 201 and response.json() == {"invoice": 1, **order},
        )
        say(
            "Now audit wants to know of every purchase, and a sale should not fail because billing is away. So the call "
            "becomes a message with two subscribers:"
        )
        self.edit(
            "billing.yaml",
            (PURCHASE_TO_BILLING, PURCHASE_PUBLISHED),
            (REST_OF_BILLING, REST_OF_BILLING + PURCHASE_SUBSCRIPTIONS),
        )
        response = self.call_web("POST", "/buy", order)
        check(
            "web got 202: the message is stored",
            response.status_code == 202 and "statusUrl" in response.json(),
        )
        invoices = self.listed("billing", "/purchases", lambda found: len(found) >= 2)
        check(
            "billing got it with its payload, and wrote an invoice as ever",
            invoices[1] == {"invoice": 2, **order},
        )
        records = self.listed("audit", "/records", lambda found: len(found) >= 1)
        check(
            "audit got it, too, as a CloudEvent",
            records[0]["event"]["ce-type"] == "purchase.made"
            and json.loads(records[0]["body"]) == order,
        )
        self.message_status(response.json()["statusUrl"])

    def message_status(self, status_url):
        def delivered():
            response = self.call_mesh(status_url, shown=False)
            states = [delivery["status"] for delivery in response.json()["deliveries"]]
            return response if states == ["succeeded", "succeeded"] else None

        response = wait_for(f"both deliveries at {status_url}", delivered)
        screen.command(f"curl -x {self.mesh.web_sidecar} {status_url}")
        screen.answer(response)
        check("the publisher can see who has it", response.status_code == 200)

    def announced(self):
        step("4. Announced")
        say(
            "web changes an address: requests.put('http://users/user/1', json=...). users must answer, so the call stays "
            "a forwarded one; but billing and audit should learn that a user changed. Not how: whoever cares may ask."
        )
        self.edit("users.yaml", (REST_OF_USERS, REST_OF_USERS + EMIT))
        change = {"email": "ada@lovelace.example"}
        response = self.call_web("PUT", "/profile/1", change)
        check(
            "web got the answer of users",
            response.status_code == 200 and response.json() == {**self.user, **change},
        )
        self.user = response.json()
        notices = self.listed("billing", "/customer-changed", lambda found: found)
        check(
            "billing knows that user 1 changed, and nothing else",
            notices[0] == {"type": "user.changed", "subject": "/user/1", "body": ""},
        )
        records = self.listed("audit", "/records", lambda found: len(found) >= 2)
        check(
            "audit, too",
            records[1]["event"]["ce-type"] == "user.changed" and records[1]["body"] == "",
        )

    def listed(self, service, path, enough):
        """Shows what a service lists, once that is enough."""
        url = self.mesh.service(service) + path

        def get():
            response = requests.get(url, timeout=10)
            return response if enough(response.json()) else None

        response = wait_for(f"{service} to list it at {url}", get)
        screen.command(f"curl {url}")
        screen.answer(response, after=False)
        return response.json()

    def mistaken(self):
        step("5. A mistake")
        say("Somebody edits in a hurry. Two mistakes in one line:")
        good, _ = self.mesh.versions()
        screen.edit(
            self.mesh.policy_file("users.yaml"), self.mesh.edit("users.yaml", (FORWARD, MISTAKES))
        )
        self.shown_by_control(good)
        self.shown_by_pillionctl()
        say("Meanwhile, nothing has changed for web:")
        statuses = [self.call_web("GET", "/profile/1", shown=False).status_code for _ in range(50)]
        screen.command(f"curl {self.mesh.service('web')}/profile/1      (50 times)")
        screen.output(f"HTTP 200: {statuses.count(200)} times")
        check(
            "traffic goes on under the last good policy",
            statuses.count(200) == 50 and set(self.mesh.versions()[1]) == {good},
        )
        say("And repaired:")
        screen.edit(
            self.mesh.policy_file("users.yaml"), self.mesh.edit("users.yaml", (MISTAKES, FORWARD))
        )
        wait_for("control to be content again", lambda: not self.mesh.mistakes())
        status, text = self.ctl("validate", "policy")
        check("pillionctl is content", status == 0)
        status, text = self.ctl("status", "--control", self.mesh.rest)
        check(
            "all sidecars are connected and run what control serves", status == 0 and good in text
        )
        check("web is served", self.call_web("GET", "/profile/1", shown=False).json() == self.user)

    def shown_by_control(self, good):
        mistakes = wait_for("control to see the mistakes", self.mesh.mistakes)
        screen.command(f"curl {self.mesh.rest}/v1/policy      (its check.errors)")
        screen.output(json.dumps(mistakes, indent=2))
        check(
            "control says where, and what was meant",
            len(mistakes) == 2
            and "did you mean 'users'?" in mistakes[0]
            and "did you mean 'timeout'?" in mistakes[1],
        )
        check("it goes on serving the last good version", self.mesh.versions()[0] == good)
        log = self.mesh.log("control")

        def logged():
            lines = log.read_text(encoding="utf-8").splitlines()
            found = [each for each in lines if "did you mean" in each]
            return found if len(found) >= 2 else None

        said = wait_for(f"the mistakes in {log}", logged)
        screen.command(f"grep 'did you mean' {log}")
        screen.output("\n".join(said))
        check("its log says so, too", len(said) == 2)

    def shown_by_pillionctl(self):
        status, text = self.ctl("validate", "policy")
        check(
            "pillionctl says the same of the files, with exit status 1",
            status == 1
            and "policy/users.yaml:8:23:" in text
            and "did you mean 'users'?" in text
            and "did you mean 'timeout'?" in text,
        )
        status, text = self.ctl("status", "--control", self.mesh.rest)
        check("and of the mesh", status == 0 and "policy/users.yaml:8:23:" in text)

    def ctl(self, *arguments):
        screen.command(f"pillionctl {' '.join(arguments)}")
        status, text = self.mesh.ctl(*arguments)
        screen.output(text)
        return status, text
