// What is wrong with a command line, and what would be right: CLI11 says of a misspelt command that
// there must be one, and of a misspelt option that it did not expect it.
//
// Threads: a pure function.
#ifndef PILLION_CORE_BAD_USAGE_H_
#define PILLION_CORE_BAD_USAGE_H_

#include <string>
#include <vector>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace pillion {

// `words`: the command line after the name of the program; `error`: what came of parsing it. One
// line, without its end.
std::string BadUsage(const CLI::App& app, const CLI::Error& error,
                     const std::vector<std::string>& words);

}  // namespace pillion

#endif  // PILLION_CORE_BAD_USAGE_H_
