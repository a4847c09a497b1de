// "did you mean 'x'?"
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_SUGGEST_H_
#define PILLION_CORE_CONFIG_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace pillion::config {

// "; did you mean 'x'?" with the candidate that `word` is most likely a misspelling of (the least
// edit distance, transpositions counting as one; letter case does not count), or "" if none is
// near.
std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_SUGGEST_H_
