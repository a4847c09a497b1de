#include "sidecar/delivery/fields.h"

#include <random>

#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

TEST(Fields, ComeBackAsTheyWere) {
  const std::string long_value(300, 'x');
  const std::string odd("\0\r\n\xff", 4);
  std::string encoded;
  AppendField(encoded, "content-type", "text/plain");
  AppendField(encoded, "", "");
  AppendField(encoded, "x", long_value);
  AppendField(encoded, "x", odd);
  const auto fields = DecodeFields(encoded);
  ASSERT_TRUE(fields.has_value());
  ASSERT_EQ(fields->size(), 4u);
  EXPECT_EQ((*fields)[0],
            (std::pair<std::string_view, std::string_view>("content-type", "text/plain")));
  EXPECT_EQ((*fields)[1], (std::pair<std::string_view, std::string_view>("", "")));
  EXPECT_EQ((*fields)[2].second, long_value);
  EXPECT_EQ((*fields)[3].second, odd);
}

TEST(Fields, AnEmptyListIsNoBytes) { EXPECT_TRUE(DecodeFields("")->empty()); }

TEST(Fields, DamagedBytesAreRefused) {
  std::string encoded;
  AppendField(encoded, "name", "value");
  for (size_t size = 1; size < encoded.size(); ++size) {
    EXPECT_FALSE(DecodeFields(std::string_view(encoded).substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(DecodeFields("\xff\xff\xff\xff\xff\xff\xff\xff").has_value());
}

TEST(Fields, RandomBytesAreReadWithinTheirBounds) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 8);
    const auto fields = DecodeFields(bytes);
    if (!fields.has_value()) continue;
    for (const auto& [name, value] : *fields) {
      EXPECT_GE(name.data(), bytes.data());
      EXPECT_LE(value.data() + value.size(), bytes.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace pillion::delivery
