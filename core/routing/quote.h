// Text from requests and policies, for messages to people.
//
// Threads: pure functions.
#ifndef PILLION_CORE_ROUTING_QUOTE_H_
#define PILLION_CORE_ROUTING_QUOTE_H_

#include <string>
#include <string_view>

namespace pillion::routing {

// `text` with all but printable ASCII escaped as \x0a, cut with "..." after 100 bytes.
std::string Readable(std::string_view text);

// The same in single quotes.
std::string Quoted(std::string_view text);

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_QUOTE_H_
