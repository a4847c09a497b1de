// The policy that control pushes.
//
// One thread has the conversation: it stages what arrives, puts it into effect when control says
// that it is complete, and answers. gRPC's threads only fill its mailbox.
#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/discovery/resource_types.h"
#include "core/telemetry/log.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "pillion/config/v1/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/control_stream.h"
#include "sidecar/discovery/policy_source.h"
#include "sidecar/discovery/source_base.h"
#include "sidecar/discovery/staged_policy.h"

namespace pillion::discovery {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;

constexpr log::Logger kLog("control");

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(100);
constexpr absl::Duration kLongestBackOff = absl::Seconds(10);
// A stream that lived this long was a success: the next attempt follows soon.
constexpr absl::Duration kStable = absl::Seconds(1);

constexpr int kInvalidArgument = 3;  // google.rpc.Code

class ControlSource : public PolicySource {
 public:
  ControlSource(ControlOptions options, ApplyPolicy apply)
      : options_(std::move(options)),
        applier_("control", options_.address, options_.last_good_path, std::move(apply)),
        random_(std::random_device{}()),
        thread_([this] { Run(); }) {}

  ~ControlSource() override {
    mailbox_.Close();
    thread_.join();
  }

  SourceState state() const override { return applier_.state(); }

  void WantCluster(const std::string& name) override {
    mailbox_.Put({StreamEvent::Kind::kWanted, nullptr, absl::OkStatus(), name});
  }

 private:
  void Run() {
    log::SetThreadName("control");
    LoadCopy();
    patience_ends_ = absl::Now() + options_.patience;
    for (int failures = 0; !mailbox_.closed();) {
      const absl::Duration lived = Converse();
      if (mailbox_.closed()) return;
      UseCopy();
      failures = lived >= kStable ? 0 : failures + 1;
      const absl::Time again = absl::Now() + BackOff(failures);
      while (std::optional<StreamEvent> event = mailbox_.Take(again)) {
        wanted_.insert(event->cluster);  // nothing else comes now
      }
    }
  }

  // Full jitter: a mesh of sidecars must not come back to a restarted control all at once.
  absl::Duration BackOff(int failures) {
    const absl::Duration most =
        std::min(kLongestBackOff, kFirstBackOff * (int64_t{1} << std::min(failures, 10)));
    return most * std::uniform_real_distribution<double>(0, 1)(random_);
  }

  // One stream, from the attempt to its end. Returns for how long it was open.
  absl::Duration Converse() {
    absl::Time opened = absl::InfiniteFuture();
    ControlStream stream(options_.address, &mailbox_);
    Subscribe(stream);
    for (;;) {
      std::optional<StreamEvent> event =
          mailbox_.Take(copy_.has_value() ? patience_ends_ : absl::InfiniteFuture());
      if (mailbox_.closed()) return absl::ZeroDuration();
      if (!event.has_value()) {
        UseCopy();
        continue;
      }
      switch (event->kind) {
        case StreamEvent::Kind::kOpened:
          opened = absl::Now();
          OnOpened();
          break;
        case StreamEvent::Kind::kResponse:
          Answer(stream, *event->response);
          break;
        case StreamEvent::Kind::kEnded:
          OnEnded(event->status);
          return std::max(absl::Now() - opened, absl::ZeroDuration());
        case StreamEvent::Kind::kWanted:
          Want(stream, event->cluster);
          break;
      }
    }
  }

  // PolicyVersion last: control answers in the order of types, and it is what makes the others
  // count.
  void Subscribe(ControlStream& stream) {
    staged_.ForgetUnreadable();
    for (const ResourceType& type : ResourceTypes()) {
      DeltaDiscoveryRequest request;
      request.set_type_url(type.url);
      request.add_resource_names_subscribe("*");
      if (type.url == ClusterUrl()) {
        for (const std::string& name : wanted_) request.add_resource_names_subscribe(name);
      }
      staged_.AddVersionsTo(&request);
      const std::string version = applier_.version();
      // As long as nothing is in effect, control has to say which version what we have is.
      if (type.list == nullptr && !version.empty()) {
        (*request.mutable_initial_resource_versions())[std::string(kPolicyVersionName)] = version;
      }
      if (&type == &ResourceTypes().front()) {
        request.mutable_node()->set_id(options_.node_id);
        request.mutable_node()->set_cluster(options_.service);
        request.mutable_node()->set_user_agent_name("pillion");
      }
      stream.Send(std::move(request));
    }
    // Control would say nothing if it is back at the version that is in effect; but then nothing is
    // refused any more. And wanted clusters belong to the version that we have.
    if (applier_.state().refusing || !wanted_.empty()) AskForVersion(stream);
  }

  // Subscribing by name to what is subscribed to asks for it again. Control sends it after all else
  // that is new.
  void AskForVersion(ControlStream& stream) {
    DeltaDiscoveryRequest request;
    request.set_type_url(PolicyVersionUrl());
    request.add_resource_names_subscribe(std::string(kPolicyVersionName));
    stream.Send(std::move(request));
  }

  // Beside what its routes need, a sidecar may ask for clusters by name. What comes is put into
  // effect by the version that comes after it.
  void Want(ControlStream& stream, const std::string& cluster) {
    if (!wanted_.insert(cluster).second) return;
    kLog.Info("a delivery needs cluster '", cluster, "': asking control for it");
    DeltaDiscoveryRequest request;
    request.set_type_url(ClusterUrl());
    request.add_resource_names_subscribe(cluster);
    stream.Send(std::move(request));
    AskForVersion(stream);
  }

  void OnOpened() {
    kLog.Info("connected to control at ", options_.address);
    applier_.SetConnected(true);
    applier_.SetError("");
    warned_ = false;
  }

  void OnEnded(const absl::Status& status) {
    const std::string why = absl::StrCat(
        "no connection to control at ", options_.address, ": ",
        status.ok() ? absl::string_view("control ended the stream") : status.message());
    if (!warned_) kLog.Warning(why, "; trying again until it is back");
    warned_ = true;
    wanted_.clear();  // what is still needed is asked for again
    applier_.SetConnected(false);
    applier_.SetError(why);
  }

  void Answer(ControlStream& stream, const DeltaDiscoveryResponse& response) {
    const bool commits = response.type_url() == PolicyVersionUrl();
    const absl::Status verdict = commits ? Commit(response) : staged_.Take(response);
    DeltaDiscoveryRequest reply;
    reply.set_type_url(response.type_url());
    reply.set_response_nonce(response.nonce());
    if (!verdict.ok()) {
      kLog.Error("policy version ", response.system_version_info(),
                 " is refused: ", verdict.message());
      reply.mutable_error_detail()->set_code(kInvalidArgument);
      reply.mutable_error_detail()->set_message(std::string(verdict.message()));
    }
    stream.Send(std::move(reply));
    if (commits && verdict.ok()) applier_.copy().Save(staged_.Everything(applier_.version()));
  }

  absl::Status Commit(const DeltaDiscoveryResponse& response) {
    config::v1::PolicyVersion version;
    if (response.resources_size() != 1 || !response.resources(0).resource().UnpackTo(&version)) {
      absl::Status status = absl::InvalidArgumentError("expected one PolicyVersion");
      applier_.Refused(std::string(status.message()));
      return status;
    }
    auto policy = staged_.Build();
    if (!policy.ok()) {
      applier_.Refused(std::string(policy.status().message()));
      return policy.status();
    }
    absl::Status status = applier_.Apply(*std::move(policy), version.version());
    if (!status.ok()) return status;
    copy_.reset();
    return absl::OkStatus();
  }

  // --- The last good copy on disk.

  void LoadCopy() {
    auto copy = applier_.copy().Load();
    if (copy.ok()) {
      // A base for what control has to say: what is the same need not travel.
      if (absl::Status status = staged_.Take(*copy); status.ok()) {
        copy_ = *std::move(copy);
      } else {
        kLog.Error(options_.last_good_path, ": ", status.message());
        staged_ = StagedPolicy();
      }
    } else if (!absl::IsNotFound(copy.status())) {
      kLog.Error(copy.status().message());
    }
  }

  // Control does not answer: go on with the last policy that was good, unless there is one in
  // effect.
  void UseCopy() {
    if (!copy_.has_value()) return;
    const DeltaDiscoveryResponse copy = *std::exchange(copy_, std::nullopt);
    const absl::Status status = applier_.ApplyCopy(copy);
    if (status.ok()) {
      kLog.Warning("control has not sent a policy; version ", copy.system_version_info(), " from ",
                   options_.last_good_path, " is in effect");
    } else {
      kLog.Error(options_.last_good_path, " is refused: ", status.message());
    }
  }

  const ControlOptions options_;
  Applier applier_;
  StreamMailbox mailbox_;

  // Of the thread.
  StagedPolicy staged_;
  std::optional<DeltaDiscoveryResponse> copy_;  // read from disk, and nothing is in effect yet
  std::set<std::string> wanted_;  // clusters subscribed to by name on this stream, or the next
  absl::Time patience_ends_;
  bool warned_ = false;
  std::minstd_rand random_;

  std::thread thread_;  // last: it uses the rest
};

}  // namespace

std::unique_ptr<PolicySource> FollowControl(ControlOptions options, ApplyPolicy apply) {
  return std::make_unique<ControlSource>(std::move(options), std::move(apply));
}

}  // namespace pillion::discovery
