// Output for a terminal.
#ifndef PILLION_CONTROL_CLI_TABLE_H_
#define PILLION_CONTROL_CLI_TABLE_H_

#include <string>
#include <string_view>
#include <vector>

namespace pillion::control {

// What came from elsewhere must not steer the terminal: control characters become '?'.
std::string Printable(std::string_view text);

// The same, and "-" for nothing.
std::string OrDash(std::string_view text);

// A line for each row, with columns as wide as the longest text in them. The last column is not
// padded. REQUIRES: all rows have as many columns.
std::vector<std::string> Aligned(const std::vector<std::vector<std::string>>& rows);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_TABLE_H_
