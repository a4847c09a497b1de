"""Fuzz targets: code that parses bytes from outside, as a libFuzzer program and as a test."""

def pillion_fuzz_test(name, srcs, corpus, deps, size = "small"):
    """A test that feeds every corpus file to LLVMFuzzerTestOneInput once, and a libFuzzer program.

    The convention, on which tools/fuzz relies: tests/fuzz/NAME/ has NAME_fuzz.cc and corpus/, and

      pillion_fuzz_test(
          name = "NAME",
          srcs = ["NAME_fuzz.cc"],
          corpus = glob(["corpus/*"]),
          deps = [...],
      )

    Args:
      name: of the test. Each corpus file is one GoogleTest case; without any the test fails.
      srcs: define `extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)`.
      corpus: the inputs, one a file: one for each kind of input, and one for each mistake once made.
      deps: of srcs.
      size: of the test.
    """
    native.cc_library(
        name = name + "_entry",
        testonly = True,
        srcs = srcs,
        visibility = ["//visibility:private"],
        deps = deps,
        alwayslink = True,
    )
    native.cc_test(
        name = name,
        size = size,
        args = ["$(rootpath %s)" % file for file in corpus],
        data = corpus,
        deps = [
            ":" + name + "_entry",
            "//tests/fuzz:corpus_runner",
        ],
    )

    # Only with --config=fuzz, which is Clang: GCC has no libFuzzer.
    native.cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name + "_entry"],
    )
