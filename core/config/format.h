// What text of a given format (annotations.proto) must look like.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_FORMAT_H_
#define PILLION_CORE_CONFIG_FORMAT_H_

#include <string>
#include <string_view>

#include "pillion/config/v1/annotations.pb.h"

namespace pillion::config {

// "" if `text` is of `format`, else what is wrong with it, for a person.
std::string CheckFormat(v1::FieldRules::Format format, std::string_view text);

// "" if `substitution` suits the regular expression `pattern` (or `pattern` does not compile, which
// CheckFormat says), else what is wrong.
std::string CheckRewrite(std::string_view pattern, std::string_view substitution);

// True if `address` (of format ADDRESS) can be reached from this machine only: 127.0.0.0/8, ::1,
// unix:.
bool IsLoopback(std::string_view address);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_FORMAT_H_
