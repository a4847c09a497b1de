#include "core/http/header_rules.h"

#include <array>
#include <charconv>

#include "core/http/chars.h"

namespace pillion::http {
namespace {

constexpr std::array kHopByHop = {
    HeaderId::kConnection,        HeaderId::kKeepAlive,
    HeaderId::kProxyConnection,   HeaderId::kProxyAuthorization,
    HeaderId::kProxyAuthenticate, HeaderId::kTe,
    HeaderId::kTrailer,           HeaderId::kTransferEncoding,
    HeaderId::kUpgrade,           HeaderId::kHttp2Settings,
};

constexpr uint64_t MaskOf(HeaderId id) { return uint64_t{1} << static_cast<unsigned>(id); }

constexpr uint64_t MakeHopByHopMask() {
  uint64_t mask = 0;
  for (HeaderId id : kHopByHop) mask |= MaskOf(id);
  return mask;
}

constexpr uint64_t kHopByHopMask = MakeHopByHopMask();

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

// Calls `visit(element)` for the elements of a comma-separated field until it returns true; whether
// it did.
template <typename Visit>
bool AnyElement(const HeaderList& headers, HeaderId id, Visit visit) {
  if (!headers.Has(id)) return false;
  for (const Header& header : headers) {
    if (header.id != id) continue;
    std::string_view rest = header.value;
    while (true) {
      const size_t comma = rest.find(',');
      if (visit(TrimOws(rest.substr(0, comma)))) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

// Connection can name only headers that are nobody's business but the two ends' of this connection.
bool CanBeNamed(const Header& header) {
  return header.id == HeaderId::kOther && !StartsWithIgnoreCase(header.name, "pillion-") &&
         !StartsWithIgnoreCase(header.name, "ce-");
}

}  // namespace

void RemoveHopByHop(HeaderList* headers, UpgradeRule upgrade) {
  const bool pass = upgrade == UpgradeRule::kPass && headers->Has(HeaderId::kUpgrade);
  const bool names_others = AnyElement(*headers, HeaderId::kConnection, [](std::string_view name) {
    return !name.empty() && LookupHeader(name) == HeaderId::kOther &&
           !EqualsIgnoreCase(name, "close");
  });
  // Connection itself stays in the list until the second pass, so that the first can read it.
  headers->RemoveIf([&](const Header& header) {
    return names_others && CanBeNamed(header) &&
           HasToken(*headers, HeaderId::kConnection, header.name);
  });
  headers->RemoveIf([&](const Header& header) {
    if (pass && header.id == HeaderId::kUpgrade) return false;
    return (MaskOf(header.id) & kHopByHopMask) != 0;
  });
  if (pass) headers->Add(HeaderId::kConnection, "upgrade");
}

void RemovePillionHeaders(HeaderList* headers) {
  headers->Remove(HeaderId::kPillionFlag);
  headers->Remove(HeaderId::kPillionDeliveryId);
  headers->Remove(HeaderId::kPillionAttempt);
  headers->Remove(HeaderId::kPillionOperationUrl);
}

void SetFraming(HeaderList* headers, const BodyFraming& body) {
  headers->Remove(HeaderId::kTransferEncoding);
  if (body.kind == BodyFraming::kNone) return;
  if (body.kind != BodyFraming::kLength) {
    headers->Remove(HeaderId::kContentLength);
    if (body.kind == BodyFraming::kChunked) headers->Add(HeaderId::kTransferEncoding, "chunked");
    return;
  }
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), body.length).ptr;
  const std::string_view length(digits, static_cast<size_t>(end - digits));
  const bool same = headers->Count(HeaderId::kContentLength) == 1 &&
                    headers->Value(HeaderId::kContentLength) == length;
  if (!same) headers->SetCopy(HeaderId::kContentLength, length);
}

bool HasToken(const HeaderList& headers, HeaderId id, std::string_view token) {
  return AnyElement(headers, id,
                    [token](std::string_view element) { return EqualsIgnoreCase(element, token); });
}

void AppendVia(HeaderList* headers, Version received, std::string_view pseudonym) {
  constexpr std::string_view kVersions[] = {"1.0 ", "1.1 "};
  const std::string_view version = kVersions[static_cast<size_t>(received)];
  char* const text = headers->Allocate(version.size() + pseudonym.size());
  version.copy(text, version.size());
  pseudonym.copy(text + version.size(), pseudonym.size());
  const std::string_view element(text, version.size() + pseudonym.size());
  if (headers->Has(HeaderId::kVia)) {
    headers->AppendElement(HeaderId::kVia, element);
  } else {
    headers->Add(HeaderId::kVia, element);
  }
}

bool ViaContains(const HeaderList& headers, std::string_view pseudonym) {
  return AnyElement(headers, HeaderId::kVia, [pseudonym](std::string_view element) {
    // received-protocol RWS received-by [ RWS comment ]
    const size_t space = element.find_first_of(" \t");
    if (space == std::string_view::npos) return false;
    const std::string_view rest = TrimOws(element.substr(space));
    return EqualsIgnoreCase(rest.substr(0, rest.find_first_of(" \t")), pseudonym);
  });
}

void AppendForwardedFor(HeaderList* headers, std::string_view address) {
  headers->AppendElement(HeaderId::kXForwardedFor, address);
}

}  // namespace pillion::http
