// One address of a cluster as one worker sees it, and the worker's idle connections to it.

#ifndef PILLION_SIDECAR_UPSTREAM_HOST_H_
#define PILLION_SIDECAR_UPSTREAM_HOST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/http/client.h"
#include "core/net/address.h"
#include "core/net/timer.h"
#include "sidecar/upstream/load_balancer.h"

namespace pillion::upstream {

// Tells the hosts of a cluster apart within a worker; never used twice. 0 is none.
using HostId = uint64_t;

struct IdleConnection {
  std::unique_ptr<http::ClientConnection> connection;
  net::TimePoint since;
};

struct Host : Candidate {
  HostId id = 0;
  net::Address address;
  std::string text;      // of `address`, as the policy writes it
  std::string origin;    // the endpoint it comes from: `text`, or "name:port"
  bool removed = false;  // no longer in the cluster; calls that began may end

  std::vector<IdleConnection> idle;  // the longest idle first: taken from the end

  // While now < avoid_until others are preferred: connecting failed `failures` times in a row.
  uint32_t failures = 0;
  net::TimePoint avoid_until;

  uint64_t requests_total = 0;
  uint64_t connections_total = 0;
  uint64_t connect_failures_total = 0;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_HOST_H_
