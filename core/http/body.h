// Chunked transfer coding (RFC 9112 section 7.1), decoding and framing.
//
// The decoder is given bytes as they arrive and hands out views of the data within them: nothing is
// copied or collected. It belongs to one message; it knows nothing of sockets.
#ifndef PILLION_CORE_HTTP_BODY_H_
#define PILLION_CORE_HTTP_BODY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/http/parser.h"

namespace pillion::http {

// Strict: a chunk size is 1 to 16 hexadecimal digits below 2^63; every line ends with CRLF;
// extensions are checked for their characters, limited and dropped; trailers must be well-formed
// field lines, are limited and dropped (RFC 9110 section 6.5.1 allows it).
class ChunkedDecoder {
 public:
  static constexpr size_t kMaxExtensionBytes = 256;     // of one chunk
  static constexpr size_t kMaxTrailerBytes = 8 * 1024;  // of the whole trailer section

  struct Result {
    size_t consumed = 0;    // bytes of `in` that are done with, those of `data` included
    std::string_view data;  // the next piece of the body, within `in`; may be empty
    bool done = false;  // the body has ended; what follows in[consumed] belongs to the next message
    bool failed =
        false;         // framing broken: `error` says why; the connection cannot be used any more
    ParseError error;  // status is 400 for bad framing, 431 for trailers beyond the limit
  };

  // Decodes up to and including the next piece of data. Call again with the bytes after `consumed`
  // until all are consumed, or done, or failed; an empty `data` with all bytes consumed means that
  // more bytes are needed. After done or failed, every further call returns the same and consumes
  // nothing.
  Result Decode(std::string_view in);

  bool done() const { return state_ == State::kDone; }
  void Reset() { *this = ChunkedDecoder(); }

 private:
  enum class State : uint8_t {
    kSize,            // first digit of a chunk size
    kSizeMore,        // further digits, extension or CR
    kExtensionSpace,  // white space before ';'
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // start of a trailer line, or the final CR
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kFinalLf,
    kDone,
    kFailed,
  };

  // Consumes one byte of framing; null, or why it is wrong.
  const char* Step(char c);
  const char* StepSize(char c);
  const char* StepExtension(char c);
  const char* StepTrailer(char c);

  State state_ = State::kSize;
  uint8_t digits_ = 0;
  uint16_t extension_bytes_ = 0;
  uint16_t trailer_bytes_ = 0;
  uint64_t remaining_ = 0;  // of the current chunk
  ParseError error_;
};

// Bytes that frame a chunk of `size` > 0: "<hex size>\r\n" is written to `out`, its length
// returned. After the data comes kChunkEnd, after the last chunk kFinalChunk.
inline constexpr size_t kMaxChunkHeader = 20;
size_t FormatChunkHeader(char out[kMaxChunkHeader], uint64_t size);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kFinalChunk = "0\r\n\r\n";

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_BODY_H_
