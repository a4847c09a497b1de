#include "core/http/chars.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace pillion::http {
namespace {

const char* FindControlByBytes(const char* p, const char* end) {
  while (p != end && (*p == '\t' || (static_cast<uint8_t>(*p) >= 0x20 && *p != 0x7f))) ++p;
  return p;
}

// Both ways of searching give what looking at each byte gives. The text stands in a block of its
// own size, so that the address sanitizer sees a read beyond it.
void ExpectFoundAlike(const std::string& text) {
  const auto block = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), block.get());
  const char* const end = block.get() + text.size();
  const char* const expected = FindControlByBytes(block.get(), end);
  EXPECT_EQ(FindControl(block.get(), end), expected) << testing::PrintToString(text);
  EXPECT_EQ(internal::FindControlByWords(block.get(), end), expected)
      << testing::PrintToString(text);
}

TEST(FindControl, FindsEveryControlCharacterAtEveryOffset) {
  for (size_t size = 0; size <= 50; ++size) {
    ExpectFoundAlike(std::string(size, 'a'));
    for (size_t at = 0; at < size; ++at) {
      for (char c : {'\0', '\x1f', '\r', '\n', '\x7f', '\t', ' ', '\x80', '\xff'}) {
        std::string text(size, 'a');
        text[at] = c;
        ExpectFoundAlike(text);
      }
    }
  }
}

TEST(FindControl, TellsEveryByteFromEveryNeighbour) {
  for (int c = 0; c < 256; ++c) {
    for (int next = 0; next < 256; ++next) {
      std::string text(20, ' ');
      text[7] = static_cast<char>(c);
      text[8] = static_cast<char>(next);
      ExpectFoundAlike(text);
    }
  }
}

TEST(FindControl, TakesTabsForText) {
  for (size_t tabs = 0; tabs <= 40; ++tabs) {
    ExpectFoundAlike(std::string(tabs, '\t'));
    ExpectFoundAlike(std::string(tabs, '\t') + "\r" + std::string(20, 'a'));
  }
}

TEST(FindNear, FindsTheFirstWhereverItIs) {
  for (size_t size = 0; size <= 50; ++size) {
    const auto block = std::make_unique<char[]>(size);
    const char* const end = block.get() + size;
    std::fill(block.get(), block.get() + size, 'a');
    EXPECT_EQ(FindNear(':', block.get(), end), end);
    for (size_t at = size; at-- > 0;) {
      block[at] = ':';  // others follow it
      EXPECT_EQ(FindNear(':', block.get(), end), block.get() + at) << size;
    }
  }
}

}  // namespace
}  // namespace pillion::http
