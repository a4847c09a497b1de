// What a proxy does to headers between its two sides (RFC 9110 section 7.6, wire format "Headers").
//
// Threads: functions over a list that the caller owns.
#ifndef PILLION_CORE_HTTP_HEADER_RULES_H_
#define PILLION_CORE_HTTP_HEADER_RULES_H_

#include <string_view>

#include "core/http/head.h"

namespace pillion::http {

// Whether Upgrade goes on to the other side.
enum class UpgradeRule : uint8_t {
  kDrop,
  kPass,  // keep Upgrade, and send "connection: upgrade" of our own
};

// Removes the headers that are meant for one connection only: Connection and those that it names,
// Keep-Alive, Proxy-Connection, Proxy-Authorization, Proxy-Authenticate, TE, Trailer,
// Transfer-Encoding, Upgrade and HTTP2-Settings. Afterwards SetFraming() says how the body is sent
// on.
//
// Connection cannot name a header that is meant for every recipient: any that HeaderId knows (host,
// authorization, content-length, x-forwarded-for, ...), any ce- or pillion- header. Such a
// nomination is ignored, so that a caller cannot strip what others rely on.
//
// "TE: trailers" is not passed on: Pillion drops trailers, and must not promise otherwise (RFC 9110
// section 10.1.4).
void RemoveHopByHop(HeaderList* headers, UpgradeRule upgrade = UpgradeRule::kDrop);

// Removes the pillion- headers that only Pillion sets (flag, delivery-id, attempt, operation-url),
// so that a caller cannot forge them. For calls from a local service; a delivery that arrives from
// another sidecar keeps them.
void RemovePillionHeaders(HeaderList* headers);

// Makes the headers say what `body` says: one Content-Length, or "transfer-encoding: chunked", or,
// for kUntilClose, neither. For kNone, Transfer-Encoding goes and a Content-Length stays: an answer
// to HEAD and a 304 tell the length of a body that is not sent.
void SetFraming(HeaderList* headers, const BodyFraming& body);

// True if the comma-separated field `id` has an element that equals `token` in any case; all lines
// count.
bool HasToken(const HeaderList& headers, HeaderId id, std::string_view token);

// Adds "1.1 <pseudonym>" to Via (RFC 9110 section 7.6.3); the protocol is that of the message
// received.
void AppendVia(HeaderList* headers, Version received, std::string_view pseudonym);

// True if Via says that the message passed through `pseudonym` before: a loop, to be refused with
// 508.
bool ViaContains(const HeaderList& headers, std::string_view pseudonym);

// Adds the caller's address (without port) to X-Forwarded-For.
void AppendForwardedFor(HeaderList* headers, std::string_view address);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_HEADER_RULES_H_
