#include "core/config/yaml_advice.h"

#include <algorithm>
#include <cstddef>

#include "core/strings.h"

namespace pillion::config {
namespace {

constexpr size_t kMaxQuoted = 64;

std::string_view LineOf(std::string_view text, int line) {
  for (; line > 1; --line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  ConsumeSuffix(text, "\r");
  return text;
}

bool IsIndentedWithTab(std::string_view line) {
  return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

// Whether a character of UTF-8 begins before this byte.
bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// At most the line's end.
size_t OffsetOf(std::string_view line, int column) {
  return std::min(static_cast<size_t>(std::max(column, 1)) - 1, line.size());
}

// The unquoted text that begins with `mark` and ends at a blank or a bracket; yaml-cpp places an
// error at its mark or after it.
std::string WordAt(std::string_view line, char mark, int column) {
  size_t begin = OffsetOf(line, column);
  begin = std::min(line.find(mark, begin), line.rfind(mark, begin));
  if (begin == std::string_view::npos) return "";
  std::string_view word = line.substr(begin);
  word = word.substr(0, word.find_first_of(" \t,[]{}"));
  if (word.size() <= kMaxQuoted) return std::string(word);
  size_t end = kMaxQuoted;
  while (IsContinuation(word[end])) --end;
  return StrCat(word.substr(0, end), "...");
}

std::string Quote(char mark, std::string_view line, int column) {
  const std::string word = WordAt(line, mark, column);
  return StrCat("; text that begins with '", std::string_view(&mark, 1), "' needs quotes",
                word.empty() ? "" : ": '", word, word.empty() ? "" : "'");
}

}  // namespace

std::string YamlAdvice(std::string_view message, std::string_view text, int line, int column,
                       std::string_view opened) {
  const std::string_view here = LineOf(text, line);
  const auto says = [message](std::string_view part) {
    return message.find(part) != std::string_view::npos;
  };
  const bool of_blocks = !says("flow") && (says("illegal tab") || says("block entry") ||
                                           says("map") || says("end of sequence"));
  if (of_blocks && IsIndentedWithTab(here)) return "; indent with spaces: YAML takes no tabs there";
  if (says("alias not found") || says("anchor is not defined") || says("scanning alias")) {
    return Quote('*', here, column);
  }
  if (says("anchor not found") || says("scanning anchor")) return Quote('&', here, column);
  if (says("tags are not supported") || says("tag handle") || says("verbatim tag")) {
    return Quote('!', here, column);
  }
  if (says("unknown token")) {
    const size_t at = OffsetOf(here, column);
    return at < here.size() ? Quote(here[at], here, column) : "";
  }
  if (says("directive") || says("YAML version")) {
    return "; leave out the line that begins with %";
  }
  if (says("flow not found")) {
    return StrCat("; the ", says("map") ? "'{'" : "'['", opened.empty() ? "" : " at ", opened,
                  " is not closed, or a ',' is missing before this place");
  }
  if (says("illegal flow end")) {
    return "; nothing is open that this bracket closes: take it away, or put the text in quotes";
  }
  if (says("illegal map value")) {
    return "; text with ': ' in it needs quotes, and all fields of one object begin in the same "
           "column";
  }
  if (says("illegal block entry")) {
    return "; '- ' begins a line, in the same column as the other items of its list";
  }
  if (says("end of map not found") || says("end of sequence not found") ||
      says("illegal map key")) {
    return "; the fields of one object begin in the same column, and so do the items of one list";
  }
  if (says("unknown escape")) {
    return R"(; between double quotes a backslash is written \\; single quotes leave it as it is)";
  }
  if (says("hex number") || says("invalid unicode")) {
    return R"(; \x is followed by 2 hexadecimal digits, \u by 4, \U by 8)";
  }
  if (says("block scalar")) return "; after | or > the text begins on the next line";
  if (says("scalar")) return "; close the quotes";
  return "";
}

}  // namespace pillion::config
