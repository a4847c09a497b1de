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
#include <initializer_list>
#include <string_view>

namespace pillion::http {

// At most 64 values: HeaderIdSet is one word.
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

// A set of ids.
class HeaderIdSet {
 public:
  constexpr HeaderIdSet() = default;
  constexpr HeaderIdSet(std::initializer_list<HeaderId> ids) {
    for (HeaderId id : ids) Add(id);
  }

  constexpr void Add(HeaderId id) { bits_ |= Bit(id); }
  constexpr void Remove(HeaderId id) { bits_ &= ~Bit(id); }
  constexpr bool Contains(HeaderId id) const { return (bits_ & Bit(id)) != 0; }
  constexpr bool Intersects(HeaderIdSet other) const { return (bits_ & other.bits_) != 0; }

 private:
  static_assert(static_cast<size_t>(HeaderId::kCount) <= 64);
  static constexpr uint64_t Bit(HeaderId id) { return uint64_t{1} << static_cast<unsigned>(id); }

  uint64_t bits_ = 0;
};

// The id of `name` in any case, or kOther. Constant time, no allocation; `name` may be any bytes.
HeaderId LookupHeader(std::string_view name);

// The lower-case name of `id`; "" for kOther. Static storage.
std::string_view HeaderName(HeaderId id);

// True if `a` and `b` are equal without regard to ASCII case.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_HEADER_NAMES_H_
