// The durable half of delivery: accepts messages, keeps them, says when to try, and keeps what came
// of it.
//
// Knows nothing of HTTP, connections, event loops or policy. Whoever accepts gives it a message
// with its deliveries; the dispatcher given to Start() is handed each attempt when it is due;
// Complete() says how the attempt ended. What it promises:
//
//  - Accept() replies only when the message is durable. Group commit: whatever was asked while the
//  last commit
//    ran is in the next one. An attempt of a delivery that is due at once begins right after that
//    commit.
//  - At least once: a delivery that was running when the process died runs again.
//  - Limits (of a target, of a cluster, of a key, of the whole) hold; targets take turns.
//  - A message that is accepted as held is as durable, but nobody gets it before Release(). What is
//  still held when
//    the process ends is released by the next one: held means "this may have happened".
//  - If the store fails (disk full, input/output error) the ones who asked get the error and
//  nothing of what they
//    asked has happened; the outcome of an attempt is kept in memory and stored as soon as that is
//    possible.
//
//   Engine engine(options, *std::move(store), &clock, &random);
//   engine.Start([&](ClaimedDelivery delivery) { loop.Post(...); },      // make the attempt
//                [&](uint64_t claim) { loop.Post(...); });               // abort it
//   engine.Accept(std::move(request), [&](absl::StatusOr<Accepted> accepted) { loop.Post(...); });
//
// Threads: every function is thread-safe and returns without waiting, except Start() and Stop().
// One thread, the engine's own, uses the store. It calls every callback and hook, so these must be
// quick, and must not call Stop(). A callback is called exactly once (a watch's: see there); when
// the engine refuses at once (queue full: ResourceExhausted; stopped: Cancelled; ill-formed
// request: InvalidArgument) that is on the caller's thread, before the function returns.
//
// What one thread asks takes effect in the order asked, but reading calls may overtake changes
// whose callbacks have not been called yet, and anything an Accept of more than 64 KiB; an outcome
// may be overtaken by a Cancel.
//
// Errors that any callback may get, besides those named below: those of store.h. OutOfRange comes
// to Accept() only; a delivery whose answer is too large for the store fails.
#ifndef PILLION_SIDECAR_DELIVERY_ENGINE_H_
#define PILLION_SIDECAR_DELIVERY_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "sidecar/delivery/clock.h"
#include "sidecar/delivery/model.h"
#include "sidecar/delivery/random.h"
#include "sidecar/delivery/requests.h"
#include "sidecar/delivery/store.h"

namespace pillion::delivery {

class CommandQueue;
class Worker;

class Engine {
 public:
  // `clock` and `random` must outlive the engine.
  Engine(EngineOptions options, std::unique_ptr<Store> store, Clock* clock, Random* random);
  // Stops.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Recovers what the last process left (running becomes pending, due now; what is held is
  // released) and starts. The hooks
  // may be called before this returns. Every dispatched delivery must be answered by one
  // Complete(), also after an abort. REQUIRES: called once, and OK before anything else is asked.
  absl::Status Start(std::function<void(ClaimedDelivery)> dispatch,
                     std::function<void(uint64_t claim)> abort);

  // Nothing is dispatched from now on; everything else goes on. First step of a shutdown: then let
  // attempts finish, or end them with Complete(kAborted), which leaves them to run again; then
  // Stop().
  void StopDispatching();

  // Commits what was asked so far, replies, fails what is asked later with Cancelled, and waits for
  // the thread. Watches end with Cancelled. Outcomes not stored by now are lost: those deliveries
  // run again.
  void Stop();

  // AlreadyExists: the idempotency key was used with another request (its fingerprint differs).
  // FailedPrecondition: the backlog of one of its targets is full; none of them gets it.
  // ResourceExhausted: the store is, or the queue for the next commit.
  // Returns the id that the message will have, unless its idempotency key is known.
  std::string Accept(AcceptRequest request, Callback<Accepted> done);

  // Whether such a delivery would be accepted, of however few bytes, as far as the last commit
  // tells: FailedPrecondition and ResourceExhausted as of Accept, and counted like those. For who
  // must do something first that is better not done if it would be refused. Accept may refuse all
  // the same.
  absl::Status CheckRoom(const NewDelivery& delivery);

  // What becomes of a message that was accepted as held; may be asked before that was answered.
  // Never refused, and done as soon as the store can: nobody needs to wait, as a process that ends
  // before has lost nothing. Of no effect if it is not held (any more).
  // Release: it is delivered, with other `attributes` if they are not empty.
  void Release(std::string id, std::string attributes);
  // Discard: it is deleted, as if it had not been accepted.
  void Discard(std::string id);

  // Several messages, of which all become durable or none; without idempotency keys. What it
  // replies is in the order given. OutOfRange: they have more than max_batch_bytes together.
  void AcceptAll(std::vector<AcceptRequest> requests, Callback<std::vector<Accepted>> done);

  // The outcome of the attempt `claim`. Never refused; of a delivery that was canceled or has
  // expired meanwhile it only frees the place.
  void Complete(uint64_t claim, AttemptOutcome outcome);

  // What rests for `cluster` after an attempt that failed or could not be sent is due now. Not what
  // the cluster itself said is not to come before its time (Retry-After), nor what is delayed.
  void Hurry(std::string cluster);

  // From now on no more attempts to each of these clusters run at once than this says; to others,
  // any number. Those that run already go on.
  void LimitClusters(absl::flat_hash_map<std::string, int> limits);

  // `id` is that of an operation or message (all its deliveries), or of one delivery. NotFound.
  void Get(std::string id, Callback<MessageView> done);
  // Of an operation or of one delivery. NotFound; also for a message that has not exactly one
  // delivery.
  void GetResult(std::string id, Callback<DeliveryResult> done);
  // The delivery of this id, or all of a message, with the answers that were kept. `content`: the
  // first, and only that, has what the message carries. NotFound.
  void Describe(std::string id, bool content, Callback<std::vector<ListedDelivery>> done);
  // Cancels what is not final of it, and aborts what runs. NotFound; FailedPrecondition: all is
  // final already.
  void Cancel(std::string id, Callback<MessageView> done);

  // Notes how far an operation is, 0 to 100. NotFound; FailedPrecondition: it has ended.
  void ReportProgress(std::string id, int percent_complete, Callback<MessageView> done);

  // Calls `on_change` with the present status, and again after each change until all is final
  // (which is the last call) or Unwatch. An error ends the watch: NotFound, ResourceExhausted (too
  // many watches), Cancelled. A call that is under way when Unwatch returns may still come.
  WatchId Watch(std::string id, Callback<MessageView> on_change);
  void Unwatch(WatchId watch);

  // InvalidArgument: a page token that is none.
  void ListDeliveries(ListRequest request, Callback<DeliveryPage> done);
  // Replays, cancels or drops, in several transactions if it is much: after an error, part of it
  // may have been done. InvalidArgument: a page token that is none.
  void Change(ChangeRequest request, Callback<ChangeSummary> done);

  EngineStats stats() const;
  // Of every target that has, or since the start had, something on its way.
  std::vector<TargetBacklog> backlogs() const;

 private:
  void Run();
  void PublishStats();
  // Queues what is asked, or calls its callback with the reason why not.
  template <typename SomeCommand>
  void Ask(SomeCommand command);

  Clock* const clock_;
  Random* const random_;
  const int64_t max_batch_bytes_;
  const int64_t max_pending_;
  std::unique_ptr<CommandQueue> queue_;
  std::unique_ptr<Worker> worker_;  // the engine's thread's, once started

  std::atomic<bool> dispatching_ = true;
  std::atomic<WatchId> next_watch_ = 1;

  mutable std::mutex stats_mutex_;
  EngineStats stats_;
  int64_t refused_for_backlog_ = 0;  // by CheckRoom
  int64_t refused_for_store_ = 0;
  absl::flat_hash_map<Target, Backlog> backlogs_;

  std::mutex stop_mutex_;  // one Stop() at a time
  std::thread thread_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_ENGINE_H_
