// The transport under the control source: one gRPC stream, whose events come out of a mailbox.
#ifndef PILLION_SIDECAR_DISCOVERY_CONTROL_STREAM_H_
#define PILLION_SIDECAR_DISCOVERY_CONTROL_STREAM_H_

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryRequest;
class DeltaDiscoveryResponse;
}  // namespace envoy::service::discovery::v3

namespace pillion::discovery {

struct StreamEvent {
  enum class Kind {
    kOpened,    // control answered
    kResponse,  // `response`
    kEnded,     // `status` says why; the last event of a stream
    kWanted,    // not of the stream, but for it: a delivery needs `cluster`
  };
  Kind kind;
  std::shared_ptr<const envoy::service::discovery::v3::DeltaDiscoveryResponse> response;
  absl::Status status;
  std::string cluster = {};
};

// From gRPC's threads, and others, to the source's. Thread-safe.
class StreamMailbox {
 public:
  void Put(StreamEvent event);

  // Waits for an event; nullopt at `deadline`, or when the mailbox is closed.
  std::optional<StreamEvent> Take(absl::Time deadline);

  // Ends every wait, now and later.
  void Close();
  bool closed() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StreamEvent> events_;
  bool closed_ = false;
};

// Opens a stream of DeltaAggregatedResources to `address`, over a connection of its own.
class ControlStream {
 public:
  // `mailbox` must outlive the stream.
  ControlStream(const std::string& address, StreamMailbox* mailbox);

  // Cancels the stream if it is open and waits until gRPC is done with it, which takes no network.
  // The mailbox then has its last event.
  ~ControlStream();
  ControlStream(const ControlStream&) = delete;
  ControlStream& operator=(const ControlStream&) = delete;

  // Sends in the order of the calls; does not wait. What is sent after the end is dropped.
  void Send(envoy::service::discovery::v3::DeltaDiscoveryRequest request);

 private:
  class Reactor;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_CONTROL_STREAM_H_
