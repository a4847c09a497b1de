// The output of a command, so that none writes to std::cout by itself.
#ifndef PILLION_CONTROL_CLI_STREAMS_H_
#define PILLION_CONTROL_CLI_STREAMS_H_

#include <iosfwd>

namespace pillion::control {

// Where a command writes: results to `out`, what is wrong to `err`.
struct Streams {
  std::ostream& out;
  std::ostream& err;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_STREAMS_H_
