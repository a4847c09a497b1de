#include "core/http/head.h"

#include <string>
#include <utility>
#include <vector>

#include "core/http/header_names.h"
#include "gtest/gtest.h"

namespace pillion::http {
namespace {

std::string Text(const HeaderList& headers) {
  std::string text;
  for (const Header& header : headers) {
    text += std::string(header.name) + ": " + std::string(header.value) + "\n";
  }
  return text;
}

TEST(HeaderList, HasNothingAfterItWasMovedFrom) {
  HeaderList list;
  list.Add(HeaderId::kHost, "a");
  HeaderList moved = std::move(list);
  EXPECT_TRUE(moved.Has(HeaderId::kHost));
  EXPECT_FALSE(list.Has(HeaderId::kHost));  // NOLINT(bugprone-use-after-move)
  list.Clear();
  EXPECT_FALSE(list.Has(HeaderId::kHost));
  EXPECT_EQ(list.Value(HeaderId::kHost), "");
}

template <typename Name, typename Value>
constexpr bool kKept = requires(HeaderList& list, Name name, Value value) {
  list.Add(std::forward<Name>(name), std::forward<Value>(value));
  list.Set(std::forward<Name>(name), std::forward<Value>(value));
};

TEST(HeaderList, KeepsNoViewOfATemporary) {
  static_assert(!kKept<HeaderId, std::string>);
  static_assert(!kKept<std::string_view, std::string>);
  static_assert(!kKept<std::string, std::string_view>);
  static_assert(kKept<HeaderId, std::string&>);
  static_assert(kKept<const std::string&, std::string_view>);
  static_assert(kKept<const char*, const char*>);
}

TEST(HeaderNames, AreFoundInAnyCase) {
  for (size_t i = 1; i < static_cast<size_t>(HeaderId::kCount); ++i) {
    const auto id = static_cast<HeaderId>(i);
    std::string name(HeaderName(id));
    ASSERT_FALSE(name.empty());
    EXPECT_EQ(LookupHeader(name), id) << name;
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(LookupHeader(name), id) << name;
  }
}

TEST(HeaderNames, OthersAreOther) {
  for (size_t i = 1; i < static_cast<size_t>(HeaderId::kCount); ++i) {
    const std::string name(HeaderName(static_cast<HeaderId>(i)));
    for (size_t at = 0; at < name.size(); ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string changed = name;
        changed[at] = static_cast<char>(c);
        const HeaderId found = LookupHeader(changed);
        EXPECT_EQ(found != HeaderId::kOther, EqualsIgnoreCase(changed, HeaderName(found)))
            << changed;
      }
    }
    EXPECT_EQ(LookupHeader(name + "x"), HeaderId::kOther);
    EXPECT_EQ(LookupHeader("x" + name), HeaderId::kOther);
  }
  EXPECT_EQ(LookupHeader(""), HeaderId::kOther);
  EXPECT_EQ(LookupHeader("x"), HeaderId::kOther);
  EXPECT_EQ(LookupHeader("content\rlength"), HeaderId::kOther);
  EXPECT_EQ(LookupHeader(std::string(1000, 'a')), HeaderId::kOther);
}

TEST(HeaderList, KeepsOrderAndFindsByIdAndByName) {
  HeaderList headers;
  headers.Add("Host", "a");
  headers.Add("X-B", "1");
  headers.Add("x-b", "2");
  headers.Add(HeaderId::kVia, "v");
  EXPECT_EQ(Text(headers), "Host: a\nX-B: 1\nx-b: 2\nvia: v\n");
  EXPECT_EQ(headers.Value(HeaderId::kHost), "a");
  EXPECT_EQ(headers.Value("hOST"), "a");
  EXPECT_EQ(headers.Value("X-b"), "1");
  EXPECT_EQ(headers.Count("x-B"), 2u);
  EXPECT_EQ(headers.Count(HeaderId::kVia), 1u);
  EXPECT_EQ(headers.Find("x-c"), nullptr);
  EXPECT_EQ(headers.Find(HeaderId::kDate), nullptr);
  EXPECT_EQ(headers.Value("x-c"), "");
}

TEST(HeaderList, SetReplacesAllLinesInPlaceOfTheFirst) {
  HeaderList headers;
  headers.Add("X", "1");
  headers.Add("Via", "1");
  headers.Add("x", "2");
  headers.Add("via", "2");
  headers.Set("X", "3");
  headers.SetCopy(HeaderId::kVia, "3");
  EXPECT_EQ(Text(headers), "X: 3\nVia: 3\n");
  headers.SetCopy("Y", "4");
  headers.Set(HeaderId::kDate, "5");
  EXPECT_EQ(Text(headers), "X: 3\nVia: 3\nY: 4\ndate: 5\n");
}

TEST(HeaderList, RemovesAllLinesOfAName) {
  HeaderList headers;
  for (const char* value : {"1", "2", "3"}) {
    headers.Add("x", value);
    headers.Add("via", value);
  }
  EXPECT_EQ(headers.Remove(HeaderId::kVia), 3u);
  EXPECT_FALSE(headers.Has(HeaderId::kVia));
  EXPECT_EQ(headers.Remove(HeaderId::kVia), 0u);
  EXPECT_EQ(headers.Remove("X"), 3u);
  EXPECT_TRUE(headers.empty());
}

TEST(HeaderList, AppendsElementsToTheLastLine) {
  HeaderList headers;
  headers.AppendElement(HeaderId::kVia, "a");
  headers.AppendElement(HeaderId::kVia, "b");
  headers.Add("Via", "");
  headers.AppendElement(HeaderId::kVia, "c");
  headers.AppendElement(HeaderId::kVia, "d");
  EXPECT_EQ(Text(headers), "via: a, b\nVia: c, d\n");
}

TEST(HeaderList, CopiesOutliveTheirSource) {
  HeaderList headers;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    std::string name = "x-" + std::to_string(i);
    std::string value(static_cast<size_t>(i * 10), 'v');
    headers.AddCopy(name, value);
    expected += name + ": " + value + "\n";
    name.assign(name.size(), '!');
    value.assign(value.size(), '!');
  }
  EXPECT_EQ(Text(headers), expected);
}

TEST(HeaderList, MovesItsOwnTextAlong) {
  for (int count : {3, 40, 200}) {
    HeaderList first;
    const std::string outside = "outside";
    first.Add("view", outside);
    for (int i = 0; i < count; ++i) first.AddCopy("x-" + std::to_string(i), "value");
    const std::string text = Text(first);
    HeaderList second = std::move(first);
    EXPECT_EQ(Text(second), text);
    EXPECT_EQ(second.Value("view").data(), outside.data());
    EXPECT_TRUE(first.empty());
    first.AddCopy("other", "text");
    first = std::move(second);
    EXPECT_EQ(Text(first), text);
    first.AddCopy("more", "text");
    EXPECT_EQ(first.Value("more"), "text");
  }
}

TEST(HeaderList, CopyFromOwnsAllText) {
  HeaderList copy;
  std::string text;
  {
    std::string name = "x-name";
    std::string value(3000, 'v');
    HeaderList headers;
    headers.Add(name, value);
    headers.Add("Host", name);
    text = Text(headers);
    copy.CopyFrom(headers);
    name.assign(name.size(), '!');
    value.assign(value.size(), '!');
  }
  EXPECT_EQ(Text(copy), text);
  EXPECT_EQ(copy.Value(HeaderId::kHost), "x-name");
}

TEST(HeaderList, CanBeUsedAgainAfterClear) {
  HeaderList headers;
  for (int i = 0; i < 100; ++i) headers.AddCopy("x-" + std::to_string(i), std::string(100, 'v'));
  headers.Clear();
  EXPECT_TRUE(headers.empty());
  EXPECT_FALSE(headers.Has(HeaderId::kOther));
  headers.AddCopy("a", "b");
  EXPECT_EQ(Text(headers), "a: b\n");
}

}  // namespace
}  // namespace pillion::http
