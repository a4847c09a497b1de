// The conditions under which an attempt is repeated: `retry_on` of the policy, with Envoy's names.

#ifndef PILLION_SIDECAR_ACTIONS_RETRY_ON_H_
#define PILLION_SIDECAR_ACTIONS_RETRY_ON_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace pillion::sidecar {

// How an attempt failed without an answer.
enum class AttemptFailure : uint8_t {
  kConnect,        // no connection
  kStale,          // a pooled connection turned out to be closed, before any byte of an answer
  kReset,          // broken off after the request was sent, before the answer's head was whole
  kTimeout,        // of this attempt
  kProtocolError,  // the answer is not HTTP
};

class RetryOn {
 public:
  // The conditions. Their numbers are stored with deliveries (pillion.store.v1.AttemptSpec): they
  // never change their meaning.
  enum Bit : uint32_t {
    k5xx = 1,
    kGatewayError = 2,
    kConnectFailure = 4,
    kRefusedStream = 8,
    kResetBit = 16,
    kRetriable4xx = 32,
    kRetriableStatusCodes = 64,
  };

  RetryOn() = default;
  RetryOn(uint32_t bits, std::vector<uint32_t> status_codes)
      : bits_(bits), status_codes_(std::move(status_codes)) {}
  // `conditions` is a list separated by commas. Errors (InvalidArgument): an unknown name.
  static absl::StatusOr<RetryOn> Parse(std::string_view conditions,
                                       std::vector<uint32_t> status_codes);

  // `idempotent`: whether the request's method is (RFC 9110 section 9.2.2). A stale connection is
  // hard to tell from an upstream that died over the request, so `refused-stream` alone repeats
  // only those.
  bool Matches(AttemptFailure failure, bool idempotent) const;
  bool Matches(int status) const;
  uint32_t bits() const { return bits_; }  // of Bit

 private:
  uint32_t bits_ = 0;
  std::vector<uint32_t> status_codes_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_RETRY_ON_H_
