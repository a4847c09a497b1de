#include "core/http/body.h"

#include <algorithm>

#include "core/http/chars.h"

namespace pillion::http {
namespace {

constexpr uint8_t kMaxSizeDigits = 16;
constexpr uint64_t kMaxChunkSize = uint64_t{1} << 63;  // sizes stay below

constexpr char kTrailersTooLarge[] = "the trailers are too large";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

ChunkedDecoder::Result ChunkedDecoder::Decode(std::string_view in) {
  Result result;
  while (result.consumed < in.size() && state_ < State::kDone) {
    if (state_ == State::kData) {
      const size_t size =
          static_cast<size_t>(std::min<uint64_t>(remaining_, in.size() - result.consumed));
      result.data = in.substr(result.consumed, size);
      result.consumed += size;
      remaining_ -= size;
      if (remaining_ == 0) state_ = State::kDataCr;
      break;
    }
    if (const char* const reason = Step(in[result.consumed])) {
      error_ = {reason == kTrailersTooLarge ? 431 : 400, reason};
      state_ = State::kFailed;
      break;
    }
    ++result.consumed;
  }
  result.done = state_ == State::kDone;
  result.failed = state_ == State::kFailed;
  result.error = error_;
  return result;
}

const char* ChunkedDecoder::Step(char c) {
  switch (state_) {
    case State::kSize:
    case State::kSizeMore:
      return StepSize(c);
    case State::kExtensionSpace:
    case State::kExtension:
      return StepExtension(c);
    case State::kSizeLf:
      if (c != '\n') return "CR without LF after a chunk size";
      state_ = remaining_ > 0 ? State::kData : State::kTrailerStart;
      digits_ = 0;
      extension_bytes_ = 0;
      return nullptr;
    case State::kDataCr:
      if (c != '\r') return "a chunk is longer than its size";
      state_ = State::kDataLf;
      return nullptr;
    case State::kDataLf:
      if (c != '\n') return "CR without LF after a chunk";
      state_ = State::kSize;
      return nullptr;
    default:
      return StepTrailer(c);
  }
}

const char* ChunkedDecoder::StepSize(char c) {
  if (Is(c, kHexDigit)) {
    if (++digits_ > kMaxSizeDigits) return "a chunk size has too many digits";
    remaining_ = remaining_ * 16 + HexValue(c);
    if (remaining_ >= kMaxChunkSize) return "a chunk size is too large";
    state_ = State::kSizeMore;
    return nullptr;
  }
  if (state_ == State::kSize) return "a chunk does not start with its size";
  if (c == '\r') {
    state_ = State::kSizeLf;
    return nullptr;
  }
  if (c != ';' && !IsBlank(c)) return "invalid character in a chunk size";
  state_ = State::kExtensionSpace;
  return StepExtension(c);
}

const char* ChunkedDecoder::StepExtension(char c) {
  if (++extension_bytes_ > kMaxExtensionBytes && c != '\r') return "a chunk extension is too long";
  if (state_ == State::kExtensionSpace) {
    // RFC 9110 section 5.6.3 wants white space before the ';' tolerated, but only there.
    if (c == ';') state_ = State::kExtension;
    return c == ';' || IsBlank(c) ? nullptr : "white space after a chunk size";
  }
  if (c == '\r') {
    state_ = State::kSizeLf;
    return nullptr;
  }
  return Is(c, kFieldChar) ? nullptr : "control character in a chunk extension";
}

const char* ChunkedDecoder::StepTrailer(char c) {
  if (++trailer_bytes_ > kMaxTrailerBytes) return kTrailersTooLarge;
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') {
        state_ = State::kFinalLf;
        return nullptr;
      }
      state_ = State::kTrailerName;
      return Is(c, kTokenChar) ? nullptr : "a trailer does not start with a name";
    case State::kTrailerName:
      if (c == ':') state_ = State::kTrailerValue;
      return c == ':' || Is(c, kTokenChar) ? nullptr : "invalid character in the name of a trailer";
    case State::kTrailerValue:
      if (c == '\r') state_ = State::kTrailerLf;
      return c == '\r' || Is(c, kFieldChar) ? nullptr : "control character in a trailer";
    case State::kTrailerLf:
      state_ = State::kTrailerStart;
      return c == '\n' ? nullptr : "CR without LF in the trailers";
    default:  // kFinalLf
      if (c != '\n') return "CR without LF at the end of the chunks";
      state_ = State::kDone;
      return nullptr;
  }
}

size_t FormatChunkHeader(char out[kMaxChunkHeader], uint64_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  char* p = out;
  int shift = 60;
  while (shift > 0 && (size >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *p++ = kDigits[(size >> shift) & 15];
  *p++ = '\r';
  *p++ = '\n';
  return static_cast<size_t>(p - out);
}

}  // namespace pillion::http
