#include <algorithm>

#include "core/http/chars.h"
#include "core/http/parser.h"
#include "core/http/start_line.h"

namespace pillion::http {
namespace {

using internal::CheckRequestLine;
using internal::CheckStatusLine;
using internal::kMaxEmptyLines;

constexpr std::string_view kCrLf = "\r\n";

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
  if (!start_line_done_ && window > line_begin_) {
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
      return start_line_done_ ? Fail(431, "the header is too large")
                              : Fail(414, "the request line is too long");
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
  if (!start_line_done_) {
    if (!line.empty()) {
      result.error = kind_ == Kind::kRequest ? CheckRequestLine(line) : CheckStatusLine(line);
      if (result.error.status != 0) {
        result.state = ParseResult::kError;
        return result;
      }
      start_line_done_ = true;
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
