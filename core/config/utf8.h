// Is it text?
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_UTF8_H_
#define PILLION_CORE_CONFIG_UTF8_H_

#include <cstddef>
#include <string_view>

namespace pillion::config {

// The offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no overlong forms,
// no surrogates, at most U+10FFFF); npos if there is none.
size_t FindInvalidUtf8(std::string_view bytes);

// As FindInvalidUtf8, but a control character other than tab, line feed and carriage return counts,
// too.
size_t FindNonText(std::string_view bytes);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_UTF8_H_
