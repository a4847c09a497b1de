// Runs the benchmarks of this folder; --help lists the options.

#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
