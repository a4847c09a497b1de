// Fuzzes the chunked decoder: the same body however it is cut, and the same body once it is framed
// again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/http/body.h"

namespace pillion::http {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Decoded {
  std::string data;
  std::string framed;  // the pieces of data as chunks
  size_t consumed = 0;
  bool done = false;
  bool failed = false;
  int status = 0;
  std::string_view reason;
};

Decoded Decode(std::string_view bytes, size_t step) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < bytes.size() && !decoded.done && !decoded.failed) {
    const std::string_view in = bytes.substr(decoded.consumed, step);
    const ChunkedDecoder::Result result = decoder.Decode(in);
    Require(result.consumed <= in.size() && !(result.done && result.failed));
    Require(result.consumed > 0 || result.failed);
    Require(result.failed == (result.error.status != 0));
    if (!result.data.empty()) {
      Require(result.data.data() >= in.data());
      Require(result.data.data() + result.data.size() <= in.data() + result.consumed);
      char header[kMaxChunkHeader];
      decoded.framed.append(header, FormatChunkHeader(header, result.data.size()));
      decoded.framed.append(result.data).append(kChunkEnd);
    }
    decoded.data += result.data;
    decoded.consumed += result.consumed;
    decoded.done = result.done;
    decoded.failed = result.failed;
    decoded.status = result.error.status;
    decoded.reason = result.error.reason;
  }
  decoded.framed += kFinalChunk;
  return decoded;
}

}  // namespace
}  // namespace pillion::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Decoded whole = Decode(bytes, std::max<size_t>(size, 1));
  for (size_t step : {1, 3}) {
    const Decoded pieces = Decode(bytes, step);
    Require(pieces.data == whole.data && pieces.consumed == whole.consumed);
    Require(pieces.done == whole.done && pieces.failed == whole.failed);
    Require(pieces.status == whole.status && pieces.reason == whole.reason);

    const Decoded again = Decode(pieces.framed, pieces.framed.size());
    Require(again.done && again.data == whole.data && again.consumed == pieces.framed.size());
  }
  return 0;
}
