#include "core/http/head.h"

#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/http/copy.h"

namespace pillion::http {

HeaderList::HeaderList(HeaderList&& other) noexcept { Take(other); }

HeaderList& HeaderList::operator=(HeaderList&& other) noexcept {
  if (this != &other) Take(other);
  return *this;
}

// Text in the other list's inline bytes moves with it, so views of it must be moved too.
void HeaderList::Take(HeaderList& other) noexcept {
  const size_t used = other.inline_used();
  headers_ = std::move(other.headers_);
  present_ = other.present_;
  repeated_ = other.repeated_;
  blocks_ = std::move(other.blocks_);
  std::memcpy(inline_.data(), other.inline_.data(), used);
  if (blocks_.empty()) {
    free_ = inline_.data() + used;
    free_end_ = inline_.data() + kInlineBytes;
  } else {
    free_ = other.free_;
    free_end_ = other.free_end_;
  }

  const auto from = reinterpret_cast<uintptr_t>(other.inline_.data());
  const auto follow = [&](std::string_view& view) {
    const auto at = reinterpret_cast<uintptr_t>(view.data());
    if (at >= from && at < from + used) view = {inline_.data() + (at - from), view.size()};
  };
  for (Header& header : headers_) {
    follow(header.name);
    follow(header.value);
  }
  other.Reset();
}

// At least as many of the inline bytes as have been given out.
size_t HeaderList::inline_used() const {
  return blocks_.empty() ? static_cast<size_t>(free_ - inline_.data()) : kInlineBytes;
}

void HeaderList::RebuildPresent() {
  present_ = repeated_ = {};
  for (const Header& header : headers_) {
    if (present_.Contains(header.id)) repeated_.Add(header.id);
    present_.Add(header.id);
  }
}

void HeaderList::Add(std::string_view name, std::string_view value) {
  Add(LookupHeader(name), name, value);
}

void HeaderList::AddCopy(HeaderId id, std::string_view value) {
  PILLION_CHECK(id != HeaderId::kOther);
  Add(id, HeaderName(id), Intern(value));
}

void HeaderList::AddCopy(std::string_view name, std::string_view value) {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return AddCopy(id, value);
  const std::string_view kept_name = Intern(name);
  Add(id, kept_name, Intern(value));
}

void HeaderList::Set(HeaderId id, std::string_view value) {
  PILLION_CHECK(id != HeaderId::kOther);
  if (!Has(id)) return Add(id, value);
  Replace(headers_[IndexOf(id)], value);
  if (!repeated_.Contains(id)) return;
  bool first = true;
  RemoveIf([&](const Header& header) { return header.id == id && !std::exchange(first, false); });
}

void HeaderList::Set(std::string_view name, std::string_view value) {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Set(id, value);
  bool found = false;
  for (Header& header : headers_) {
    if (header.id != HeaderId::kOther || !EqualsIgnoreCase(header.name, name)) continue;
    Replace(header, value);
    found = true;
    break;
  }
  if (!found) return Add(id, name, value);
  bool first = true;
  RemoveIf([&](const Header& header) {
    return header.id == HeaderId::kOther && EqualsIgnoreCase(header.name, name) &&
           !std::exchange(first, false);
  });
}

void HeaderList::SetCopy(HeaderId id, std::string_view value) { Set(id, Intern(value)); }

void HeaderList::SetCopy(std::string_view name, std::string_view value) {
  const std::string_view kept_value = Intern(value);
  Set(Find(name) == nullptr ? Intern(name) : name, kept_value);
}

void HeaderList::AppendElement(HeaderId id, std::string_view element) {
  PILLION_CHECK(id != HeaderId::kOther);
  for (auto it = headers_.rbegin(); it != headers_.rend(); ++it) {
    if (it->id != id) continue;
    if (it->value.empty()) {
      Replace(*it, Intern(element));
      return;
    }
    const size_t size = it->value.size() + 2 + element.size();
    char* const text = Allocate(size);
    Copy(Copy(Copy(text, it->value), ", "), element);
    Replace(*it, {text, size});
    return;
  }
  AddCopy(id, element);
}

size_t HeaderList::RemoveAll(HeaderIdSet ids) {
  return RemoveIf([ids](const Header& header) { return ids.Contains(header.id); });
}

size_t HeaderList::Remove(std::string_view name) {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Remove(id);
  return RemoveIf([name](const Header& header) {
    return header.id == HeaderId::kOther && EqualsIgnoreCase(header.name, name);
  });
}

const Header* HeaderList::Find(std::string_view name) const {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Find(id);
  if (!Has(HeaderId::kOther)) return nullptr;
  for (const Header& header : headers_) {
    if (header.id == HeaderId::kOther && EqualsIgnoreCase(header.name, name)) return &header;
  }
  return nullptr;
}

std::string_view HeaderList::Value(std::string_view name) const {
  const Header* const header = Find(name);
  return header == nullptr ? std::string_view() : header->value;
}

size_t HeaderList::CountAll(HeaderId id) const {
  size_t count = 0;
  for (const Header& header : headers_) count += header.id == id;
  return count;
}

size_t HeaderList::Count(std::string_view name) const {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Count(id);
  size_t count = 0;
  for (const Header& header : headers_) {
    count += header.id == HeaderId::kOther && EqualsIgnoreCase(header.name, name);
  }
  return count;
}

void HeaderList::CopyFrom(const HeaderList& other) {
  if (this == &other) return;
  Clear();
  for (const Header& header : other) {
    const std::string_view name = Intern(header.name);
    Add(header.id, name, Intern(header.value));
  }
}

void HeaderList::Reset() {
  headers_.clear();
  if (headers_.capacity() > kInlineHeaders) headers_.shrink_to_fit();
  present_ = repeated_ = {};
  if (!blocks_.empty()) std::vector<std::unique_ptr<char[]>>().swap(blocks_);
  free_ = inline_.data();
  free_end_ = inline_.data() + kInlineBytes;
}

std::string_view HeaderList::Intern(std::string_view text) {
  if (text.empty()) return {};
  char* const copy = Allocate(text.size());
  Copy(copy, text);
  return {copy, text.size()};
}

// A long text gets a block of its own size; what is left of the last block is lost, which is
// little.
void HeaderList::AddBlock(size_t size) {
  const size_t block = size > kBlockBytes ? size : kBlockBytes;
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
  free_ = blocks_.back().get();
  free_end_ = free_ + block;
}

}  // namespace pillion::http
