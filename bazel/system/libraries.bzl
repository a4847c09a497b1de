"""How Debian's libraries are linked."""

def linkopts_of(libraries, needed_by_static = []):
    """Shared, as tests are linked many times; static in what is shipped (docs/decisions.md says why).

    Args:
      libraries: names without "lib"; Debian must have each as an archive, too.
      needed_by_static: further archives that those need, which the shared ones bring along.

    Returns:
      linker options.
    """
    archives = ["-l:lib%s.a" % library for library in libraries + needed_by_static]
    return select({
        "//:opt": ["-Wl,--start-group"] + archives + ["-Wl,--end-group"],
        "//conditions:default": ["-Wl,--as-needed"] + ["-l" + library for library in libraries],
    })
