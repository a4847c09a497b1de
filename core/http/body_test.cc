#include "core/http/body.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace pillion::http {
namespace {

struct Decoded {
  std::string data;
  size_t consumed = 0;
  bool done = false;
  int status = 0;
};

Decoded Decode(std::string_view bytes, size_t step) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < bytes.size() && !decoded.done && decoded.status == 0) {
    const ChunkedDecoder::Result result = decoder.Decode(bytes.substr(decoded.consumed, step));
    decoded.data += result.data;
    decoded.consumed += result.consumed;
    decoded.done = result.done;
    decoded.status = result.error.status;
  }
  return decoded;
}

struct Valid {
  std::string_view bytes;
  std::string_view data;
};

constexpr Valid kValid[] = {
    {"0\r\n\r\n", ""},
    {"000\r\n\r\n", ""},
    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"},
    {"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
    {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
    {"5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"},
    {"5;a=\"b;c\";d \t\r\nhello\r\n0\r\n\r\n", "hello"},
    {"5 \t;a\r\nhello\r\n0\t;\r\n\r\n", "hello"},
    {"5;\xc3\xa4\r\nhello\r\n0\r\n\r\n", "hello"},
    {"5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n", "hello"},
    {"0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n", ""},
};

TEST(ChunkedDecoder, DecodesValidBodiesHoweverTheyAreCut) {
  for (const Valid& valid : kValid) {
    const std::string bytes = std::string(valid.bytes) + "GET / HTTP/1.1\r\n";
    for (size_t step = 1; step <= bytes.size(); ++step) {
      const Decoded decoded = Decode(bytes, step);
      EXPECT_EQ(decoded.data, valid.data) << valid.bytes << " in pieces of " << step;
      EXPECT_TRUE(decoded.done) << valid.bytes;
      EXPECT_EQ(decoded.consumed, valid.bytes.size()) << valid.bytes;
    }
  }
}

TEST(ChunkedDecoder, IsNotDoneBeforeTheEnd) {
  for (const Valid& valid : kValid) {
    for (size_t size = 0; size < valid.bytes.size(); ++size) {
      const Decoded decoded = Decode(valid.bytes.substr(0, size), size);
      EXPECT_FALSE(decoded.done);
      EXPECT_EQ(decoded.status, 0);
      EXPECT_EQ(decoded.consumed, size);
    }
  }
}

TEST(ChunkedDecoder, HandsOutViewsOfWhatItWasGiven) {
  const std::string bytes = "5\r\nhello\r\n0\r\n\r\n";
  ChunkedDecoder decoder;
  const ChunkedDecoder::Result result = decoder.Decode(bytes);
  EXPECT_EQ(result.data.data(), bytes.data() + 3);
  EXPECT_EQ(result.data, "hello");
  EXPECT_EQ(result.consumed, 8u);
}

TEST(ChunkedDecoder, PassesAHugeChunkPieceByPiece) {
  ChunkedDecoder decoder;
  EXPECT_EQ(decoder.Decode("7fffffffffffffff\r\n").consumed, 18u);
  const std::string piece(100000, 'x');
  for (int i = 0; i < 10; ++i) {
    const ChunkedDecoder::Result result = decoder.Decode(piece);
    EXPECT_EQ(result.data.size(), piece.size());
    EXPECT_FALSE(result.done || result.failed);
  }
}

TEST(ChunkedDecoder, StaysDoneOrFailedUntilReset) {
  ChunkedDecoder decoder;
  EXPECT_TRUE(decoder.Decode("0\r\n\r\n").done);
  const ChunkedDecoder::Result after = decoder.Decode("5\r\nhello");
  EXPECT_TRUE(after.done);
  EXPECT_EQ(after.consumed, 0u);

  decoder.Reset();
  EXPECT_TRUE(decoder.Decode("x").failed);
  const ChunkedDecoder::Result again = decoder.Decode("0\r\n\r\n");
  EXPECT_TRUE(again.failed);
  EXPECT_EQ(again.error.status, 400);
  EXPECT_EQ(again.consumed, 0u);

  decoder.Reset();
  EXPECT_TRUE(decoder.Decode("0\r\n\r\n").done);
}

TEST(ChunkedDecoder, HoldsToItsLimitsExactly) {
  const auto extension = [](size_t size) {
    return "1;" + std::string(size - 1, 'a') + "\r\nx\r\n";
  };
  const size_t max = ChunkedDecoder::kMaxExtensionBytes;
  // The limit is of each chunk, not of the body.
  EXPECT_TRUE(Decode(extension(max) + extension(max) + "0\r\n\r\n", 1000).done);
  EXPECT_EQ(Decode(extension(max + 1) + "0\r\n\r\n", 1000).status, 400);

  const auto trailers = [](size_t size) {
    return "0\r\nX: " + std::string(size - 7, 'a') + "\r\n\r\n";
  };
  EXPECT_TRUE(Decode(trailers(ChunkedDecoder::kMaxTrailerBytes), 1000).done);
  EXPECT_EQ(Decode(trailers(ChunkedDecoder::kMaxTrailerBytes + 1), 1000).status, 431);
}

TEST(ChunkHeader, IsTheSizeInHexadecimal) {
  const auto format = [](uint64_t size) {
    char out[kMaxChunkHeader];
    return std::string(out, FormatChunkHeader(out, size));
  };
  EXPECT_EQ(format(1), "1\r\n");
  EXPECT_EQ(format(15), "f\r\n");
  EXPECT_EQ(format(16), "10\r\n");
  EXPECT_EQ(format(65536), "10000\r\n");
  EXPECT_EQ(format(0x7fffffffffffffff), "7fffffffffffffff\r\n");
  EXPECT_EQ(format(0xffffffffffffffff), "ffffffffffffffff\r\n");
}

TEST(ChunkHeader, FramesWhatTheDecoderReads) {
  std::string bytes;
  std::string data;
  for (size_t size : {1, 15, 16, 255, 4096, 70000}) {
    char out[kMaxChunkHeader];
    bytes.append(out, FormatChunkHeader(out, size));
    bytes.append(size, 'x').append(kChunkEnd);
    data.append(size, 'x');
  }
  bytes += kFinalChunk;
  const Decoded decoded = Decode(bytes, 1000);
  EXPECT_TRUE(decoded.done);
  EXPECT_EQ(decoded.data, data);
}

}  // namespace
}  // namespace pillion::http
