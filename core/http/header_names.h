// Names of HTTP header fields that Pillion itself looks at, as small integers.
//
// A parsed header carries its HeaderId, so that everything after the parser compares one byte where
// it would compare strings. A name that is not listed here is kOther and is compared as text.
//
// Threads: everything here is a pure function over constant tables.
#ifndef PILLION_CORE_HTTP_HEADER_NAMES_H_
#define PILLION_CORE_HTTP_HEADER_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pillion::http {

// At most 64 values: HeaderList keeps the set of those present in one word.
enum class HeaderId : uint8_t {
  kOther = 0,  // any name not below

  // Framing and connection (RFC 9110 section 7.6.1, RFC 9112).
  kHost,
  kConnection,
  kContentLength,
  kTransferEncoding,
  kExpect,
  kUpgrade,
  kTe,
  kTrailer,
  kKeepAlive,
  kProxyConnection,
  kProxyAuthorization,
  kProxyAuthenticate,
  kHttp2Settings,

  // Content.
  kContentType,
  kContentEncoding,
  kAccept,
  kAcceptEncoding,
  kRange,

  // Calls that are accepted now and done later (RFC 7240, the Idempotency-Key draft).
  kPrefer,
  kPreferenceApplied,
  kIdempotencyKey,
  kRetryAfter,
  kLocation,

  // Identity and tracing.
  kRequestId,    // x-request-id
  kTraceparent,  // W3C Trace Context
  kTracestate,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedProto,
  kForwarded,  // RFC 7239
  kVia,
  kMaxForwards,
  kAuthorization,
  kWwwAuthenticate,
  kCookie,
  kSetCookie,
  kUserAgent,
  kReferer,
  kOrigin,

  // Answers and caches.
  kDate,
  kServer,
  kAllow,
  kAge,
  kCacheControl,
  kEtag,
  kIfMatch,
  kIfNoneMatch,
  kIfModifiedSince,
  kLastModified,
  kVary,

  // CloudEvents, HTTP binary mode.
  kCeId,
  kCeSource,
  kCeSpecversion,
  kCeType,
  kCeSubject,
  kCeTime,

  // Pillion's own.
  kPillionFlag,
  kPillionDeliveryId,
  kPillionAttempt,
  kPillionOperationUrl,

  kCount,  // not a header
};

// The id of `name` in any case, or kOther. Constant time, no allocation; `name` may be any bytes.
HeaderId LookupHeader(std::string_view name);

// The lower-case name of `id`; "" for kOther. Static storage.
std::string_view HeaderName(HeaderId id);

// True if `a` and `b` are equal without regard to ASCII case.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_HEADER_NAMES_H_
