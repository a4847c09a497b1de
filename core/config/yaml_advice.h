// What to do about text that is not YAML: yaml-cpp says what its parser met, in the parser's words.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_YAML_ADVICE_H_
#define PILLION_CORE_CONFIG_YAML_ADVICE_H_

#include <string>
#include <string_view>

namespace pillion::config {

// "; do this", for the end of yaml-cpp's `message` about the place `line`:`column` (both from 1) of
// `text`; "" where there is nothing to say. `opened`: where the innermost list or map begins that
// was not at its end there, as "line 3, column 11".
std::string YamlAdvice(std::string_view message, std::string_view text, int line, int column,
                       std::string_view opened);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_YAML_ADVICE_H_
