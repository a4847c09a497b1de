#include "core/config/suggest.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

// Longer words are names that a program made; nobody misspells them.
constexpr size_t kMaxLength = 64;

// Optimal string alignment distance of two words of at most kMaxLength characters.
size_t EditDistance(std::string_view a, std::string_view b) {
  size_t row[3][kMaxLength + 1];  // of the prefixes of `a` two, one and no characters shorter
  size_t* before = row[0];
  size_t* last = row[1];
  size_t* here = row[2];
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    here[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      here[j] = std::min({last[j] + 1, here[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        here[j] = std::min(here[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, here);
  }
  return last[b.size()];
}

}  // namespace

std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kMaxLength) return "";
  const std::string wanted = absl::AsciiStrToLower(ToAbsl(word));
  // A third of the word may be wrong, and two characters where that is less.
  size_t best_distance =
      std::max<size_t>(wanted.size() / 3, std::min<size_t>(2, wanted.size() - 1)) + 1;
  std::string_view best;
  for (std::string_view candidate : candidates) {
    if (candidate.empty() || candidate.size() > kMaxLength ||
        candidate.size() > wanted.size() + best_distance ||
        wanted.size() > candidate.size() + best_distance) {
      continue;
    }
    const size_t distance = EditDistance(wanted, absl::AsciiStrToLower(ToAbsl(candidate)));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : StrCat("; did you mean '", best, "'?");
}

}  // namespace pillion::config
