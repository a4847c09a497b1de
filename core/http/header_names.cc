#include "core/http/header_names.h"

#include <array>
#include <cstring>

namespace pillion::http {
namespace {

// In the order of HeaderId, from kHost.
constexpr std::string_view kNames[] = {
    "",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "http2-settings",
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "range",
    "prefer",
    "preference-applied",
    "idempotency-key",
    "retry-after",
    "location",
    "x-request-id",
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "forwarded",
    "via",
    "max-forwards",
    "authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "user-agent",
    "referer",
    "origin",
    "date",
    "server",
    "allow",
    "age",
    "cache-control",
    "etag",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "last-modified",
    "vary",
    "ce-id",
    "ce-source",
    "ce-specversion",
    "ce-type",
    "ce-subject",
    "ce-time",
    "pillion-flag",
    "pillion-delivery-id",
    "pillion-attempt",
    "pillion-operation-url",
};
static_assert(std::size(kNames) == static_cast<size_t>(HeaderId::kCount));

constexpr std::array<char, 256> MakeLowerCase() {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 256; ++c) {
    const bool upper = c >= 'A' && c <= 'Z';
    table[c] = static_cast<char>(upper ? c + ('a' - 'A') : c);
  }
  return table;
}
constexpr std::array<char, 256> kLowerCase = MakeLowerCase();

constexpr unsigned Lower(char c) {
  return static_cast<uint8_t>(kLowerCase[static_cast<uint8_t>(c)]);
}

// A perfect hash of the names above: the factors were found by search, and MakeSlots fails to
// compile if a new name makes them collide. REQUIRES: name.size() >= 2.
constexpr uint8_t Hash(std::string_view name) {
  const size_t n = name.size();
  return static_cast<uint8_t>(n * 1 + Lower(name[0]) * 12 + Lower(name[n / 2]) * 7 +
                              Lower(name[n - 2]));
}

constexpr std::array<HeaderId, 256> MakeSlots() {
  std::array<HeaderId, 256> slots{};
  for (size_t i = 1; i < std::size(kNames); ++i) {
    HeaderId& slot = slots[Hash(kNames[i])];
    if (slot != HeaderId::kOther) throw "two names in one slot: search for other factors";
    slot = static_cast<HeaderId>(i);
  }
  return slots;
}
constexpr std::array<HeaderId, 256> kSlots = MakeSlots();

// Equality without regard to case of as many bytes as Word has. `known` is made of letters, digits
// and '-': all have bit 0x20, and so has any byte that folds onto them, but for control characters.
template <typename Word>
bool SameWord(const char* name, const char* known) {
  constexpr Word kFold = static_cast<Word>(0x2020202020202020);
  Word a;
  Word b;
  std::memcpy(&a, name, sizeof(a));
  std::memcpy(&b, known, sizeof(b));
  return (a | kFold) == b && ((a | a >> 1) & kFold) == kFold;
}

// The same of `n` bytes, of which words may overlap. REQUIRES: n >= sizeof(Word).
template <typename Word>
bool SameWords(const char* name, const char* known, size_t n) {
  for (size_t i = 0; i + sizeof(Word) < n; i += sizeof(Word)) {
    if (!SameWord<Word>(name + i, known + i)) return false;
  }
  return SameWord<Word>(name + n - sizeof(Word), known + n - sizeof(Word));
}

// REQUIRES: both have the same length, of 2 or more.
bool IsKnown(std::string_view name, std::string_view known) {
  const size_t n = name.size();
  if (n >= 8) return SameWords<uint64_t>(name.data(), known.data(), n);
  if (n >= 4) return SameWords<uint32_t>(name.data(), known.data(), n);
  return SameWords<uint16_t>(name.data(), known.data(), n);
}

}  // namespace

HeaderId LookupHeader(std::string_view name) {
  if (name.size() < 2) return HeaderId::kOther;
  const HeaderId id = kSlots[Hash(name)];
  const std::string_view known = kNames[static_cast<size_t>(id)];
  return name.size() == known.size() && IsKnown(name, known) ? id : HeaderId::kOther;
}

std::string_view HeaderName(HeaderId id) { return kNames[static_cast<size_t>(id)]; }

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

}  // namespace pillion::http
