// The head of an HTTP message: start line and header fields, as views.
//
// A parsed head points into the bytes it was parsed from: it costs no copy and no allocation, and
// it is valid only while those bytes stay where they are. Text that is made later (an added header)
// is copied into the list's own arena, whose first bytes are inside the list, so a small call needs
// no heap.
//
// Threads: none of these types is shared; one exchange on one worker owns them.
#ifndef PILLION_CORE_HTTP_HEAD_H_
#define PILLION_CORE_HTTP_HEAD_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "core/http/header_names.h"

namespace pillion::http {

// One field line. `name` is as sent (compare it without regard to case), `value` has no white space
// around it and may be empty.
struct Header {
  Header(std::string_view name, std::string_view value, HeaderId id, bool as_received)
      : name(name), value(value), id(id), as_received(as_received) {}

  std::string_view name;
  std::string_view value;
  HeaderId id;
  // Both are views of one line that was received as "name: value" CRLF, exactly as it would be
  // written: it can be copied as a whole, together with the next one behind it.
  bool as_received;
};

// Whether one of them is text of a string that ends with the expression.
template <typename Name, typename Value>
concept IsTemporaryText = std::same_as<Name, std::string> || std::same_as<Value, std::string>;

// Field lines in order. Up to 32 of them, and the first 512 bytes of copied text, need no heap.
//
// Names and values given to the adding functions must be valid (IsToken, IsFieldValue in chars.h):
// the serialiser writes them as they are. Whoever adds text that came from outside checks it first.
//
// A pointer to a Header is valid until the list changes. Text copied by the ...Copy functions lives
// until Clear() or the list's end, even if its header is removed; moving the list keeps its own
// text valid for the new list, but views that others took of it are not.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(HeaderList&& other) noexcept;
  HeaderList& operator=(HeaderList&& other) noexcept;
  HeaderList(const HeaderList&) = delete;  // a copy of views is seldom meant: see CopyFrom
  HeaderList& operator=(const HeaderList&) = delete;

  // Appends a field line. The view forms keep the views; the ...Copy forms copy into the arena (a
  // known name is not copied: HeaderName() is static).
  void Add(std::string_view name, std::string_view value);
  void Add(HeaderId id, std::string_view value) { Add(id, HeaderName(id), value); }
  // `as_received`: see Header; for the parser.
  void Add(HeaderId id, std::string_view name, std::string_view value, bool as_received = false) {
    if (present_.Contains(id)) repeated_.Add(id);
    present_.Add(id);
    headers_.emplace_back(name, value, id, as_received);
  }
  // A temporary would be gone before the list is read: copy it.
  template <typename Name, typename Value>
  requires IsTemporaryText<Name, Value>
  void Add(Name&&, Value&&) = delete;
  void AddCopy(std::string_view name, std::string_view value);
  void AddCopy(HeaderId id, std::string_view value);

  // Replaces all lines of that name by one: the first keeps its place, the others go. Adds it if
  // absent.
  void Set(HeaderId id, std::string_view value);
  void Set(std::string_view name, std::string_view value);
  template <typename Name, typename Value>
  requires IsTemporaryText<Name, Value>
  void Set(Name&&, Value&&) = delete;
  void SetCopy(HeaderId id, std::string_view value);
  void SetCopy(std::string_view name, std::string_view value);

  // Adds an element to a comma-separated field (via, x-forwarded-for): at the end of its last line,
  // or as a new line. Copies.
  void AppendElement(HeaderId id, std::string_view element);

  // Removes all lines of that name, or of those names; returns how many.
  size_t Remove(HeaderId id) { return Remove(HeaderIdSet{id}); }
  size_t Remove(HeaderIdSet ids) { return HasAny(ids) ? RemoveAll(ids) : 0; }
  size_t Remove(std::string_view name);
  // Removes the lines for which `condition(const Header&)` holds; returns how many.
  template <typename Condition>
  size_t RemoveIf(Condition condition);

  // The first line of that name, or null.
  const Header* Find(HeaderId id) const { return Has(id) ? begin() + IndexOf(id) : nullptr; }
  const Header* Find(std::string_view name) const;
  // The value of the first line of that name, or "" if absent.
  std::string_view Value(HeaderId id) const {
    return Has(id) ? begin()[IndexOf(id)].value : std::string_view();
  }
  std::string_view Value(std::string_view name) const;
  bool Has(HeaderId id) const { return present_.Contains(id); }
  bool HasAny(HeaderIdSet ids) const { return present_.Intersects(ids); }
  size_t Count(HeaderId id) const {
    return repeated_.Contains(id) ? CountAll(id) : static_cast<size_t>(Has(id));
  }
  size_t Count(std::string_view name) const;

  const Header* begin() const { return headers_.data(); }
  const Header* end() const { return headers_.data() + headers_.size(); }
  size_t size() const { return headers_.size(); }
  bool empty() const { return headers_.empty(); }

  // Makes this list a deep copy of `other`: it owns all of its text.
  void CopyFrom(const HeaderList& other);
  // Removes everything and frees all heap.
  void Clear() {
    if (!headers_.empty() || free_ != inline_.data() || headers_.capacity() > kInlineHeaders) {
      Reset();
    }
  }

  // Copies `text` into the arena; the result lives as long as copied headers do.
  std::string_view Intern(std::string_view text);
  // `size` bytes of the arena to write into; not null-terminated, never null for size > 0.
  char* Allocate(size_t size) {
    if (size > static_cast<size_t>(free_end_ - free_)) AddBlock(size);
    char* const start = free_;
    free_ += size;
    return start;
  }

 private:
  static constexpr size_t kInlineHeaders = 32;
  static constexpr size_t kInlineBytes = 512;
  static constexpr size_t kBlockBytes = 2048;

  static void Replace(Header& header, std::string_view value) {
    header.value = value;
    header.as_received = false;
  }
  void Take(HeaderList& other) noexcept;
  void RebuildPresent();
  void Reset();
  size_t RemoveAll(HeaderIdSet ids);
  size_t CountAll(HeaderId id) const;
  // Of its first line. REQUIRES: Has(id)
  size_t IndexOf(HeaderId id) const {
    const Header* header = begin();
    while (header->id != id) ++header;
    return static_cast<size_t>(header - begin());
  }
  void AddBlock(size_t size);
  size_t inline_used() const;

  absl::InlinedVector<Header, kInlineHeaders> headers_;
  HeaderIdSet present_;   // those that occur in headers_
  HeaderIdSet repeated_;  // those that occur more than once
  // The unused bytes of the arena: of the last block, or of inline_ as long as there is none.
  char* free_ = inline_.data();
  char* free_end_ = inline_.data() + kInlineBytes;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::array<char, kInlineBytes> inline_;
};

// HTTP/1.x with x > 1 is read as 1.1 (RFC 9110 section 6.2).
enum class Version : uint8_t { kHttp10, kHttp11 };

// Where a body ends (RFC 9112 section 6.3).
struct BodyFraming {
  enum Kind : uint8_t {
    kNone,        // no body, and no header that says so
    kLength,      // Content-Length: `length` bytes, possibly 0
    kChunked,     // Transfer-Encoding: chunked
    kUntilClose,  // an answer that ends with the connection
  };
  Kind kind = kNone;
  uint64_t length = 0;  // bytes; only for kLength

  // True if bytes of a body can follow.
  bool has_body() const { return kind > kLength || (kind == kLength && length > 0); }
  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

// A request's head. The parser fills all of it; whoever makes a request to send needs method, path,
// query and headers (see serialize.h).
struct RequestHead {
  std::string_view method;  // as sent; methods are case-sensitive
  std::string_view target;  // request-target as sent
  Version version = Version::kHttp11;
  HeaderList headers;

  std::string_view authority;  // of an absolute-form target, else Host; with the port as sent; ""
                               // only in HTTP/1.0
  std::string_view
      path;  // as sent, without query; "/" if an absolute-form has none; "*" for OPTIONS *
  std::string_view query;  // as sent, without '?'
  bool has_query = false;  // "/a?" has an empty query, "/a" has none
  BodyFraming body;
  bool keep_alive =
      false;  // the caller wants the connection kept; never for HTTP/1.0 (RFC 9112 section 9.3)
  bool expect_continue = false;  // Expect: 100-continue, and a body is to come
  bool upgrade = false;  // Connection: upgrade and an Upgrade that may be passed on (see parser.h)
};

// A response's head.
struct ResponseHead {
  Version version = Version::kHttp11;
  int status = 0;           // 100 to 999
  std::string_view reason;  // may be empty; when serialised, the standard phrase then stands in
  HeaderList headers;

  BodyFraming body;
  bool keep_alive = false;  // the connection can be used again once the body has ended
  bool upgrade = false;     // 101 with Connection: upgrade and Upgrade
};

template <typename Condition>
size_t HeaderList::RemoveIf(Condition condition) {
  auto kept = headers_.begin();
  for (auto it = headers_.begin(); it != headers_.end(); ++it) {
    if (condition(static_cast<const Header&>(*it))) continue;
    if (kept != it) *kept = *it;
    ++kept;
  }
  const size_t removed = static_cast<size_t>(headers_.end() - kept);
  if (removed > 0) {
    headers_.erase(kept, headers_.end());
    RebuildPresent();
  }
  return removed;
}

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_HEAD_H_
