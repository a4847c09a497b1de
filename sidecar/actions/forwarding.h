// One forwarded call, from the request to the end of the answer: its state, and the steps that
// forward.cc puts in order.
//
// What nearly every call does is no coroutine here, as each costs what a head costs to write; what
// few calls do is one. Belongs to the worker of its call.

#ifndef PILLION_SIDECAR_ACTIONS_FORWARDING_H_
#define PILLION_SIDECAR_ACTIONS_FORWARDING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "core/http/client.h"
#include "core/net/cancel.h"
#include "core/net/task.h"
#include "core/net/task_group.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/forward_config.h"
#include "sidecar/actions/request_body.h"
#include "sidecar/upstream/acquire.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::sidecar {

class Forwarding {
 public:
  // Both outlive it.
  Forwarding(const ForwardConfig& config, Call& call);

  // Makes the request ready to be sent. Or else the problem to answer with.
  std::optional<http::Problem> Prepare();

  // What is to be announced even if nobody lives to see the answer is stored first. False when the
  // caller has been told that it cannot be. REQUIRES: there is an emitter.
  net::Task<bool> StoreIntents();
  // Once the last attempt has ended, with or without an answer. REQUIRES: there is an emitter.
  void SettleIntents();

  // A connection for the next attempt.
  net::ValueOrTask<upstream::AcquireResult> Acquire();
  // There is none. True when another attempt is to follow, else the caller has been told.
  net::Task<bool> OnNoConnection(const upstream::AcquireResult& acquired);

  // Begins an attempt: sends the request's head with what is here of its body.
  http::MessageSend SendRequest(upstream::Lease& lease);
  // All of the request has been read from the caller.
  bool request_complete() const { return body_.complete(); }
  // Sends the rest of the request as it arrives, beside what follows, until EndUpload().
  net::Task<void> StartUpload(http::ClientConnection& connection);
  bool uploading() const { return uploads_.has_value(); }
  // REQUIRES: uploading()
  net::Task<void> EndUpload(const char* why);

  // What the attempt waits in: the whole call's scope, or that of the attempt's own limit.
  net::CancelScope& try_scope() { return limit_ ? *limit_ : scope_; }
  // The route's idle_timeout may end the wait for an answer before its timeout does.
  bool is_idle_limited() const {
    return config_.idle_timeout > net::Duration::zero() &&
           (config_.timeout == net::Duration::zero() || config_.idle_timeout < config_.timeout);
  }
  // The final head of the answer; informational ones go to the caller as they come. Waits for each
  // no longer than the route's idle_timeout.
  net::ValueOrTask<absl::Status> ReadHead(http::ClientConnection& connection,
                                          http::ResponseHead& head);
  // The head is here, or none will come: the attempt's own limit is over.
  void OnHeadOrNone() {
    if (limit_) limit_->ClearDeadline();
  }

  // The attempt brought no answer. True when another attempt is to follow, else the caller has been
  // told.
  net::Task<bool> OnNoAnswer(upstream::Lease& lease, const absl::Status& why);

  // Counts an answer.
  void OnAnswer(upstream::Lease& lease, const http::ResponseHead& head);
  // Whether an answer that the policy wants to have again is dropped for another attempt. When
  // nobody wants that one, this answer goes to the caller.
  net::Task<bool> PrepareRetry();
  // Drops it and waits. False when the call has ended meanwhile.
  net::Task<bool> Repeat(upstream::Lease& lease, const http::ResponseHead& head);

  // From here on the answer is the caller's, whatever becomes of it.
  void OnLastAnswer(const http::ResponseHead& head);
  // Makes the call's event durable. False when the caller has been told that it cannot be.
  // REQUIRES: there is an emitter.
  net::Task<bool> Announce(const http::ResponseHead& head);
  // Passes the head on with what has arrived of the body, which mostly is all.
  http::MessageSend BeginAnswer(http::ClientConnection& connection, http::ResponseHead& head,
                                std::string_view piece);
  // BeginAnswer() failed.
  void OnFailedSend(const absl::Status& sent) { call_.record.flag = FlagOfFailedSend(sent); }
  // Passes on what has not arrived yet of the answer's body.
  net::Task<void> PassOnBody(http::ClientConnection& connection);
  // From here on bytes go both ways, unread.
  net::Task<void> SwitchProtocols(http::ClientConnection& connection, http::ResponseHead& head);
  // The exchange with the upstream is over: its connection may serve another one.
  void Finish(upstream::Lease& lease);

 private:
  const upstream::ClusterConfig& PickCluster() const;
  // Looked up each time: an edit of the policy may end them while nothing of the cluster is in use.
  telemetry::ClusterStats& stats() { return call_.services.clusters.stats(cluster_); }
  uint64_t MicrosSinceSent() const;
  void PrepareRequest(std::string_view path);
  void PrepareAnswer(http::ResponseHead& head) const;
  net::Task<void> Upload(http::ClientConnection& connection, net::CancelScope& scope);
  net::Task<absl::Status> ReadHeads(bool taken, http::ClientConnection& connection,
                                    http::ResponseHead& head);
  bool BeginRetry();
  net::Duration BackOffLimit() const;
  net::Task<bool> BackOff(net::Duration asked_for = net::Duration::zero());
  net::Task<void> FailCanceled();
  net::Task<void> FailForStoppedCaller(const absl::Status& timeout);
  std::string_view FlagOfFailedSend(const absl::Status& sent) const;

  const ForwardConfig& config_;
  Call& call_;
  net::Loop& loop_;
  const upstream::ClusterConfig& cluster_;
  net::CancelScope scope_;  // the whole call, with the route's timeout
  RequestBody body_;
  RequestBody::UploadResult upload_;
  absl::InlinedVector<upstream::HostId, 4> tried_;
  bool fresh_ = false;
  bool upgrade_ = false;
  bool reached_upstream_ = false;  // or may have
  uint32_t attempts_ = 0;
  upstream::UseSlot slot_;
  upstream::UseSlot retry_;
  std::string rewritten_path_;
  EmitIntents intents_;
  // Of the current attempt:
  net::TimePoint sent_at_;
  std::optional<net::CancelScope> limit_;  // where the policy has one for each attempt
  std::optional<net::TaskGroup> uploads_;  // while the request is still arriving
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_FORWARDING_H_
