#include "core/telemetry/hex.h"

#include <array>
#include <cstdio>
#include <string>

#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

TEST(Hex, WritesAndReadsEveryByteInEveryPlace) {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t place = 0; place < 8; ++place) {
      std::array<uint8_t, 8> bytes = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
      bytes[place] = static_cast<uint8_t>(byte);
      std::string expected;
      for (uint8_t b : bytes) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", b);
        expected += digits;
      }
      std::string written(16, '!');
      WriteHex8(bytes.data(), written.data());
      EXPECT_EQ(written, expected);
      std::array<uint8_t, 8> read{};
      EXPECT_TRUE(ReadHex8(written.data(), read.data()));
      EXPECT_EQ(read, bytes);
    }
  }
}

TEST(Hex, RefusesEveryOtherCharacterInEveryPlace) {
  for (int c = 0; c < 256; ++c) {
    for (size_t place = 0; place < 16; ++place) {
      std::string digits = "0123456789abcdef";
      digits[place] = static_cast<char>(c);
      std::array<uint8_t, 8> read;
      const bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      EXPECT_EQ(ReadHex8(digits.data(), read.data()), is_digit) << c << " at " << place;
    }
  }
}

}  // namespace
}  // namespace pillion::telemetry
