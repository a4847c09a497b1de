#include <algorithm>

#include "core/http/chars.h"
#include "core/http/parser.h"

namespace pillion::http {
namespace {

constexpr uint8_t kMaxEmptyLines = 2;
constexpr std::string_view kCrLf = "\r\n";

bool IsDigit(char c) { return Is(c, kDigit); }

// "HTTP/1.1"; false if it has another form.
bool IsVersion(std::string_view text) {
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && IsDigit(text[5]) && text[6] == '.' &&
         IsDigit(text[7]);
}

ParseError CheckRequestLine(std::string_view line) {
  constexpr size_t kVersionSize = 8;
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

}  // namespace

ParseResult HeadScanner::Fail(int status, const char* reason) const {
  ParseResult result;
  result.state = ParseResult::kError;
  result.error = {kind_ == Kind::kRequest ? status : 502, reason};
  return result;
}

// The limits cut the bytes that are looked at, rather than being checked afterwards: so the outcome
// does not depend on how many bytes came at once.
size_t HeadScanner::Window(size_t available, const HeadLimits& limits) const {
  size_t window = std::min(available, limits.max_header_bytes);
  if (start_line_end_ == 0 && window > line_begin_) {
    const size_t line = window - line_begin_;
    if (line > limits.max_request_line && line - limits.max_request_line > kCrLf.size()) {
      window = line_begin_ + limits.max_request_line + kCrLf.size();
    }
  }
  return window;
}

ParseResult HeadScanner::Feed(std::string_view bytes, const HeadLimits& limits) {
  while (true) {
    const size_t window = Window(bytes.size(), limits);
    const char* const end = bytes.data() + window;
    if (position_ < window) {
      position_ = static_cast<size_t>(FindControl(bytes.data() + position_, end) - bytes.data());
    }
    if (position_ + 1 >= window) {
      // Nothing found, or a last byte whose meaning the next one decides.
      if (position_ < window && bytes[position_] != '\r') return FailAt(bytes[position_]);
      if (window == bytes.size()) return {};
      return start_line_end_ == 0 ? Fail(414, "the request line is too long")
                                  : Fail(431, "the header is too large");
    }
    if (bytes[position_] != '\r') return FailAt(bytes[position_]);
    if (bytes[position_ + 1] != '\n') return Fail(400, "CR without LF");

    const ParseResult result = FinishLine(bytes);
    if (result.state != ParseResult::kNeedMore) return result;
  }
}

ParseResult HeadScanner::FailAt(char control) const {
  return Fail(400, control == '\n' ? "LF without CR" : "control character in the header");
}

// Takes the line that ends at position_; kNeedMore to go on with the next.
ParseResult HeadScanner::FinishLine(std::string_view bytes) {
  const std::string_view line = bytes.substr(line_begin_, position_ - line_begin_);
  ParseResult result;
  if (start_line_end_ == 0) {
    if (!line.empty()) {
      result.error = kind_ == Kind::kRequest ? CheckRequestLine(line) : CheckStatusLine(line);
      if (result.error.status != 0) {
        result.state = ParseResult::kError;
        return result;
      }
      start_line_begin_ = line_begin_;
      start_line_end_ = position_;
    } else if (kind_ == Kind::kResponse || ++empty_lines_ > kMaxEmptyLines) {
      return Fail(400, "empty lines before the start line");
    }
  } else if (line.empty()) {
    result.state = ParseResult::kDone;
    result.consumed = position_ + kCrLf.size();
    return result;
  }
  position_ += kCrLf.size();
  line_begin_ = position_;
  return result;
}

}  // namespace pillion::http
