"""Pillion's policies in the benchmark, as text."""

# As many calls and connections as the load generators make: the bounds are there, but never met.
_CLUSTER = """\
clusters:
- name: origin
  endpoints: ["127.0.0.1:{origin}"]
  idle_timeout: 1h
  circuit_breakers: {{ max_connections: 20000, max_pending_requests: 20000, max_requests: 20000 }}
"""


# The cluster, and the beginning of a virtual host for everything; its routes follow.
_ONE_HOST = (
    _CLUSTER
    + """\
virtual_hosts:
- name: origin
  domains: ["*"]
  routes:
"""
)


def forward(origin):
    """One route, for everything."""
    return _ONE_HOST.format(origin=origin) + "  - { match: { prefix: / }, route: { cluster: origin } }\n"


def many_routes(origin, routes):
    """`routes` routes by prefix, tried in turn."""
    lines = "".join(
        f"  - {{ match: {{ prefix: /api/service{number}/ }}, route: {{ cluster: origin }} }}\n"
        for number in reversed(range(routes))
    )
    return _ONE_HOST.format(origin=origin) + lines


PATH_OF_LAST_ROUTE = "/api/service0/items/1"


def durable(origin):
    """What comes to /forward is forwarded, to /async accepted, to /async-later accepted and delivered so
    late that nobody sees it, to /publish turned into a message."""
    return (
        _ONE_HOST.format(origin=origin)
        + """\
  - { match: { prefix: /forward }, route: { cluster: origin } }
  - match: { prefix: /async-later }
    async: { cluster: origin, delay: 12h, max_pending: 10000000, max_pending_bytes: 100000000000 }
  - { match: { prefix: /async }, async: { cluster: origin } }
  - { match: { prefix: /publish }, publish: { topic: bench.accepted } }
subscriptions:
- { name: subscriber, topic: bench.accepted, cluster: origin }
"""
    )


def many_hosts(origin, hosts, version):
    """`hosts` virtual hosts with a route each; every version of it changes all of them."""
    lines = "".join(
        f'- {{ name: host{number}, domains: [host{number}, "*.host{number}.local"], routes: '
        f"[{{ match: {{ prefix: / }}, route: {{ cluster: origin, timeout: {15 + version}s }} }}] }}\n"
        for number in range(hosts - 1)
    )
    called = (
        '- { name: called, domains: ["127.0.0.1"], routes: '
        f"[{{ match: {{ prefix: / }}, route: {{ cluster: origin, timeout: {15 + version}s }} }}] }}\n"
    )
    return _CLUSTER.format(origin=origin) + "virtual_hosts:\n" + lines + called
