// The backend that a test of pillion_io_test (bazel/io_test.bzl) is run for.

#ifndef PILLION_CORE_NET_TEST_IO_H_
#define PILLION_CORE_NET_TEST_IO_H_

#include <cstdlib>
#include <string_view>

#include "core/net/loop.h"

namespace pillion::net {

inline IoKind TestIo() {
  const char* const name = std::getenv("PILLION_TEST_IO");
  if (name == nullptr) return IoKind::kAuto;
  return std::string_view(name) == "EPOLL" ? IoKind::kEpoll : IoKind::kIoUring;
}

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_TEST_IO_H_
