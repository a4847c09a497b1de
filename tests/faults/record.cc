#include "tests/faults/record.h"

#include <string_view>

#include "absl/strings/numbers.h"
#include "tests/integration/harness/files.h"

namespace pillion::faults {

absl::StatusOr<std::vector<Reception>> ReadReceptions(const std::string& file) {
  absl::StatusOr<std::string> text = harness::ReadFile(file);
  if (!text.ok()) return text.status();
  std::vector<Reception> receptions;
  for (size_t at = 0, end; (end = text->find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text->substr(at, end - at);
    const size_t space = line.find(' ');
    Reception reception;
    if (space == std::string::npos || !absl::SimpleAtoi(line.substr(space + 1), &reception.number))
      return absl::DataLossError(file + " has the line '" + line + "'");
    reception.path = line.substr(0, space);
    receptions.push_back(std::move(reception));
  }
  return receptions;
}

}  // namespace pillion::faults
