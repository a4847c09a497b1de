#include "core/routing/quote.h"

#include <cstddef>

#include "core/strings.h"

namespace pillion::routing {
namespace {

constexpr size_t kMaxBytes = 100;

// Everything but printable ASCII: what a terminal or a log makes of the rest is nobody's to choose.
void AppendReadable(unsigned char c, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  if (c >= 0x20 && c < 0x7f) {
    out->push_back(static_cast<char>(c));
  } else {
    out->append("\\x").append({kHex[c >> 4], kHex[c & 15]});
  }
}

}  // namespace

std::string Readable(std::string_view text) {
  std::string readable;
  for (const char c : text.substr(0, kMaxBytes)) {
    AppendReadable(static_cast<unsigned char>(c), &readable);
  }
  if (text.size() > kMaxBytes) readable += "...";
  return readable;
}

std::string Quoted(std::string_view text) { return StrCat("'", Readable(text), "'"); }

}  // namespace pillion::routing
