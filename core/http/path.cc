#include "core/http/path.h"

#include <cstring>

#include "core/http/chars.h"

namespace pillion::http {
namespace {

constexpr char kNotAPath[] = "the path does not start with '/'";
constexpr char kInvalidCharacter[] = "invalid character in the path";
constexpr char kBadEscape[] = "incomplete percent escape in the path";
constexpr char kRefusedEscape[] = "an escaped slash, backslash or NUL in the path";
constexpr char kDotParameters[] = "a dot segment with parameters in the path";

bool IsDotSegment(std::string_view segment) { return segment == "." || segment == ".."; }

// The segment that starts at `at`.
std::string_view SegmentAt(std::string_view path, size_t at) {
  return path.substr(at, path.find('/', at) - at);
}

// What an escape stands for. REQUIRES: "%XX" with hexadecimal digits.
char Decoded(const char* escape) {
  return static_cast<char>(HexValue(escape[1]) * 16 + HexValue(escape[2]));
}

bool IsEscape(std::string_view path, size_t at) {
  return path.size() - at > 2 && Is(path[at + 1], kHexDigit) && Is(path[at + 2], kHexDigit);
}

bool IsCanonicalEscape(std::string_view path, size_t at) {
  if (!IsEscape(path, at)) return false;
  const auto upper = [](char c) { return c < 'a'; };
  const char c = Decoded(&path[at]);
  return upper(path[at + 1]) && upper(path[at + 2]) && !Is(c, kUnreservedChar) && c != '/' &&
         c != '\\' && c != '\0';
}

// True if nothing is to be changed or refused. May say false too often, never true.
bool IsCanonical(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (Is(c, kUnreservedChar)) continue;
    if (!Is(c, kPathChar)) return false;
    if (c == '%' && !IsCanonicalEscape(path, i)) return false;
    if (c != '/' || i + 1 == path.size()) continue;
    if (path[i + 1] == '/') return false;
    if (path[i + 1] == '.') {
      const std::string_view segment = SegmentAt(path, i + 1);
      if (IsDotSegment(segment.substr(0, segment.find(';')))) return false;
    }
  }
  return true;
}

// Writes `path` with its escapes in canonical form; null, or why it is refused.
const char* CanonicalizeEscapes(std::string_view path, std::string* out) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (!Is(path[i], kPathChar)) return kInvalidCharacter;
    if (path[i] != '%') {
      out->push_back(path[i]);
      continue;
    }
    if (!IsEscape(path, i)) return kBadEscape;
    const char c = Decoded(&path[i]);
    if (c == '/' || c == '\\' || c == '\0') return kRefusedEscape;
    if (Is(c, kUnreservedChar)) {
      out->push_back(c);
    } else {
      constexpr char kUpper[] = "0123456789ABCDEF";
      out->push_back('%');
      out->push_back(kUpper[static_cast<uint8_t>(c) >> 4]);
      out->push_back(kUpper[static_cast<uint8_t>(c) & 15]);
    }
    i += 2;
  }
  return nullptr;
}

// Merges slashes and removes dot segments in place (RFC 3986 section 5.2.4); null, or why it is
// refused. What is written never overtakes what is read. REQUIRES: *path starts with '/'.
const char* RemoveDotSegments(std::string* path) {
  size_t written = 1;  // always after a '/'
  size_t read = 1;
  const std::string_view all = *path;
  while (read < all.size()) {
    const std::string_view segment = SegmentAt(all, read);
    const bool last = read + segment.size() == all.size();
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (IsDotSegment(name)) {
      if (name.size() != segment.size()) return kDotParameters;
      if (name == ".." && written > 1) written = path->rfind('/', written - 2) + 1;
    } else if (!segment.empty()) {
      std::memmove(path->data() + written, segment.data(), segment.size());
      written += segment.size();
      if (!last) (*path)[written++] = '/';
    }
    read += segment.size() + 1;
  }
  path->resize(written);
  return nullptr;
}

}  // namespace

NormalizedPath NormalizePath(std::string_view path, std::string* scratch) {
  if (!path.starts_with('/')) {
    return path == "*" ? NormalizedPath{path} : NormalizedPath{{}, kNotAPath};
  }
  if (IsCanonical(path)) return {path, nullptr};
  scratch->clear();
  scratch->reserve(path.size());
  if (const char* const error = CanonicalizeEscapes(path, scratch)) return {{}, error};
  if (const char* const error = RemoveDotSegments(scratch)) return {{}, error};
  return {*scratch, nullptr};
}

}  // namespace pillion::http
