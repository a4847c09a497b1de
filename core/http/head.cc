#include "core/http/head.h"

#include <cstring>
#include <utility>

#include "core/check.h"

namespace pillion::http {

HeaderList::HeaderList(HeaderList&& other) noexcept { Take(other); }

HeaderList& HeaderList::operator=(HeaderList&& other) noexcept {
  if (this != &other) Take(other);
  return *this;
}

// Text in the other list's inline bytes moves with it, so views of it must be moved too.
void HeaderList::Take(HeaderList& other) noexcept {
  headers_ = std::move(other.headers_);
  present_ = other.present_;
  inline_used_ = other.inline_used_;
  block_used_ = other.block_used_;
  block_size_ = other.block_size_;
  blocks_ = std::move(other.blocks_);
  std::memcpy(inline_.data(), other.inline_.data(), inline_used_);

  const auto from = reinterpret_cast<uintptr_t>(other.inline_.data());
  const auto follow = [&](std::string_view& view) {
    const auto at = reinterpret_cast<uintptr_t>(view.data());
    if (at >= from && at < from + inline_used_) view = {inline_.data() + (at - from), view.size()};
  };
  for (Header& header : headers_) {
    follow(header.name);
    follow(header.value);
  }
  other.Clear();
}

void HeaderList::RebuildPresent() {
  present_ = 0;
  for (const Header& header : headers_) present_ |= Bit(header.id);
}

void HeaderList::Add(std::string_view name, std::string_view value) {
  Add(LookupHeader(name), name, value);
}

void HeaderList::Add(HeaderId id, std::string_view name, std::string_view value) {
  headers_.push_back(Header{name, value, id});
  present_ |= Bit(id);
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
  bool first = true;
  for (Header& header : headers_) {
    if (header.id != id) continue;
    header.value = value;
    break;
  }
  RemoveIf([&](const Header& header) { return header.id == id && !std::exchange(first, false); });
}

void HeaderList::Set(std::string_view name, std::string_view value) {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Set(id, value);
  bool found = false;
  for (Header& header : headers_) {
    if (header.id != HeaderId::kOther || !EqualsIgnoreCase(header.name, name)) continue;
    header.value = value;
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
      it->value = Intern(element);
      return;
    }
    const size_t size = it->value.size() + 2 + element.size();
    char* const text = Allocate(size);
    std::memcpy(text, it->value.data(), it->value.size());
    std::memcpy(text + it->value.size(), ", ", 2);
    if (!element.empty()) std::memcpy(text + it->value.size() + 2, element.data(), element.size());
    it->value = {text, size};
    return;
  }
  AddCopy(id, element);
}

size_t HeaderList::Remove(HeaderId id) {
  if (!Has(id)) return 0;
  return RemoveIf([id](const Header& header) { return header.id == id; });
}

size_t HeaderList::Remove(std::string_view name) {
  const HeaderId id = LookupHeader(name);
  if (id != HeaderId::kOther) return Remove(id);
  return RemoveIf([name](const Header& header) {
    return header.id == HeaderId::kOther && EqualsIgnoreCase(header.name, name);
  });
}

const Header* HeaderList::Find(HeaderId id) const {
  if (!Has(id)) return nullptr;
  for (const Header& header : headers_) {
    if (header.id == id) return &header;
  }
  return nullptr;
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

std::string_view HeaderList::Value(HeaderId id) const {
  const Header* const header = Find(id);
  return header == nullptr ? std::string_view() : header->value;
}

std::string_view HeaderList::Value(std::string_view name) const {
  const Header* const header = Find(name);
  return header == nullptr ? std::string_view() : header->value;
}

size_t HeaderList::Count(HeaderId id) const {
  if (!Has(id)) return 0;
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

void HeaderList::Clear() {
  headers_.clear();
  headers_.shrink_to_fit();
  present_ = 0;
  inline_used_ = block_used_ = block_size_ = 0;
  std::vector<std::unique_ptr<char[]>>().swap(blocks_);
}

std::string_view HeaderList::Intern(std::string_view text) {
  if (text.empty()) return {};
  char* const copy = Allocate(text.size());
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

char* HeaderList::Allocate(size_t size) {
  if (blocks_.empty() && size <= kInlineBytes - inline_used_) {
    char* const start = inline_.data() + inline_used_;
    inline_used_ += static_cast<uint32_t>(size);
    return start;
  }
  if (size > block_size_ - block_used_) {
    // A long text gets a block of its own size; what is left of the last block is lost, which is
    // little.
    const size_t block = size > kBlockBytes ? size : kBlockBytes;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    block_size_ = static_cast<uint32_t>(block);
    block_used_ = 0;
  }
  char* const start = blocks_.back().get() + block_used_;
  block_used_ += static_cast<uint32_t>(size);
  return start;
}

}  // namespace pillion::http
