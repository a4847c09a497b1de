#include "core/http/start_line.h"

#include "core/http/chars.h"
#include "core/http/target.h"

namespace pillion::http::internal {
namespace {

constexpr size_t kVersionSize = 8;

bool IsDigit(char c) { return Is(c, kDigit); }

// "HTTP/1.1"; false if it has another form.
bool IsVersion(std::string_view text) {
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && IsDigit(text[5]) && text[6] == '.' &&
         IsDigit(text[7]);
}

Version VersionOf(char minor) { return minor == '0' ? Version::kHttp10 : Version::kHttp11; }

}  // namespace

ParseError CheckRequestLine(std::string_view line) {
  if (line.size() <= kVersionSize || line[line.size() - kVersionSize - 1] != ' ' ||
      !IsVersion(line.substr(line.size() - kVersionSize))) {
    return {400, "the request line does not end with an HTTP version"};
  }
  if (line[line.size() - 3] != '1') return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  return {};
}

ParseError CheckStatusLine(std::string_view line) {
  if (!IsVersion(line.substr(0, 8)))
    return {502, "the status line does not start with an HTTP version"};
  if (line[5] != '1') return {502, "the answer has an HTTP version other than 1.0 and 1.1"};
  const bool status = line.size() >= 12 && line[8] == ' ' && IsDigit(line[9]) &&
                      IsDigit(line[10]) && IsDigit(line[11]);
  if (!status || line[9] == '0' || (line.size() > 12 && line[12] != ' ')) {
    return {502, "the status line has no valid status code"};
  }
  return {};
}

ParseError ParseRequestLine(std::string_view line, RequestHead* head) {
  const ParseError error = CheckRequestLine(line);
  if (error.status != 0) return error;
  head->version = VersionOf(line.back());
  line.remove_suffix(kVersionSize + 1);
  const size_t size = CountLeading(line, kTokenChar);
  if (size == 0 || (size < line.size() && line[size] != ' ')) return {400, "invalid method"};
  head->method = line.substr(0, size);
  if (head->method == "CONNECT") return {501, "CONNECT is not supported"};
  if (size == line.size()) return {400, "no request target"};
  head->target = line.substr(size + 1);
  if (const char* const reason = ParseTarget(head)) return {400, reason};
  return {};
}

ParseError ParseStatusLine(std::string_view line, ResponseHead* head) {
  const ParseError error = CheckStatusLine(line);
  if (error.status != 0) return error;
  head->version = VersionOf(line[7]);
  head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head->reason = line.size() > 13 ? line.substr(13) : std::string_view();
  return {};
}

}  // namespace pillion::http::internal
