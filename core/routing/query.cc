#include "core/routing/query.h"

#include <cstddef>

#include "absl/strings/ascii.h"

namespace pillion::routing {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return absl::ascii_tolower(static_cast<unsigned char>(c)) - 'a' + 10;
}

bool IsEscape(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[1])) &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[2]));
}

// Takes one decoded character off `text`. REQUIRES: !text->empty().
char TakeDecoded(std::string_view* text) {
  char c = text->front() == '+' ? ' ' : text->front();
  size_t used = 1;
  if (IsEscape(*text)) {
    c = static_cast<char>(HexValue((*text)[1]) * 16 + HexValue((*text)[2]));
    used = 3;
  }
  text->remove_prefix(used);
  return c;
}

bool DecodesTo(std::string_view encoded, std::string_view decoded) {
  while (!encoded.empty() && !decoded.empty()) {
    if (TakeDecoded(&encoded) != decoded.front()) return false;
    decoded.remove_prefix(1);
  }
  return encoded.empty() && decoded.empty();
}

std::string_view Decode(std::string_view encoded, QueryScratch* scratch) {
  if (encoded.find_first_of("%+") == std::string_view::npos) return encoded;
  scratch->clear();
  while (!encoded.empty()) scratch->push_back(TakeDecoded(&encoded));
  return {scratch->data(), scratch->size()};
}

}  // namespace

std::optional<std::string_view> QueryValue(std::string_view query, std::string_view name,
                                           QueryScratch* scratch) {
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(parameter.size() < query.size() ? parameter.size() + 1 : query.size());
    const size_t equals = parameter.find('=');
    if (parameter.empty() || !DecodesTo(parameter.substr(0, equals), name)) continue;
    if (equals == std::string_view::npos) return "";
    return Decode(parameter.substr(equals + 1), scratch);
  }
  return std::nullopt;
}

}  // namespace pillion::routing
