#include "core/http/header_rules.h"

#include <algorithm>
#include <charconv>

#include "core/http/chars.h"
#include "core/http/copy.h"

namespace pillion::http {
namespace {

constexpr HeaderIdSet kHopByHop = {
    HeaderId::kConnection,        HeaderId::kKeepAlive,
    HeaderId::kProxyConnection,   HeaderId::kProxyAuthorization,
    HeaderId::kProxyAuthenticate, HeaderId::kTe,
    HeaderId::kTrailer,           HeaderId::kTransferEncoding,
    HeaderId::kUpgrade,           HeaderId::kHttp2Settings,
};

constexpr HeaderIdSet kPillionsOwn = {
    HeaderId::kPillionFlag,
    HeaderId::kPillionDeliveryId,
    HeaderId::kPillionAttempt,
    HeaderId::kPillionOperationUrl,
};

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

// What stands before the first white space.
std::string_view FirstWord(std::string_view text) {
  return text.substr(0, std::min(text.find(' '), text.find('\t')));
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
  if (!headers->HasAny(kHopByHop)) return;
  const bool names_others = AnyElement(*headers, HeaderId::kConnection, [](std::string_view name) {
    return !name.empty() && LookupHeader(name) == HeaderId::kOther &&
           !EqualsIgnoreCase(name, "close");
  });
  if (names_others) {
    // Connection itself stays in the list until all others have been compared with it.
    headers->RemoveIf([&](const Header& header) {
      return CanBeNamed(header) && HasToken(*headers, HeaderId::kConnection, header.name);
    });
  }
  HeaderIdSet removed = kHopByHop;
  const bool pass = upgrade == UpgradeRule::kPass && headers->Has(HeaderId::kUpgrade);
  if (pass) removed.Remove(HeaderId::kUpgrade);
  headers->Remove(removed);
  if (pass) headers->Add(HeaderId::kConnection, "upgrade");
}

void RemovePillionHeaders(HeaderList* headers) { headers->Remove(kPillionsOwn); }

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
  const size_t size = version.size() + pseudonym.size();
  char* const text = headers->Allocate(size);
  Copy(Copy(text, version), pseudonym);
  const std::string_view element(text, size);
  if (headers->Has(HeaderId::kVia)) {
    headers->AppendElement(HeaderId::kVia, element);
  } else {
    headers->Add(HeaderId::kVia, element);
  }
}

bool ViaContains(const HeaderList& headers, std::string_view pseudonym) {
  return AnyElement(headers, HeaderId::kVia, [pseudonym](std::string_view element) {
    // received-protocol RWS received-by [ RWS comment ]
    const std::string_view rest = TrimOws(element.substr(FirstWord(element).size()));
    return EqualsIgnoreCase(FirstWord(rest), pseudonym);
  });
}

void AppendForwardedFor(HeaderList* headers, std::string_view address) {
  headers->AppendElement(HeaderId::kXForwardedFor, address);
}

}  // namespace pillion::http
