"""Tests that run once on each I/O backend."""

def pillion_io_test(name, **kwargs):
    """A cc_test NAME_epoll and a cc_test NAME_io_uring, which find their backend in PILLION_TEST_IO.

    In C++, core/net/test_io.h reads it; in a bootstrap it is the value of runtime.io.

    Args:
      name: of the pair.
      **kwargs: of each cc_test.
    """
    for io in ["EPOLL", "IO_URING"]:
        native.cc_test(
            name = name + "_" + io.lower(),
            env = {"PILLION_TEST_IO": io},
            **kwargs
        )
