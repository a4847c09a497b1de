// PILLION_CHECK(condition): an invariant of our own code. When it does not hold the process stops,
// naming the place. Never used on anything that comes from the network or a user.

#ifndef PILLION_CORE_CHECK_H_
#define PILLION_CORE_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define PILLION_CHECK(condition)                                                             \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)

#endif  // PILLION_CORE_CHECK_H_
