#include "core/net/uring_backend.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "core/check.h"
#include "core/net/uring_handle.h"
#include "core/net/uring_queue.h"
#include "core/net/uring_receiver.h"
#include "core/net/uring_sender.h"
#include "core/net/uring_setup.h"

namespace pillion::net {
namespace {

constexpr unsigned kSubmissions = 1024;
constexpr unsigned kCompletions = 8192;

bool IsReader(const IoOperation& operation) {
  return operation.kind == IoOperation::Kind::kReceive ||
         operation.kind == IoOperation::Kind::kAccept;
}

}  // namespace

class UringBackend final : public IoBackend {
 public:
  UringBackend(Ring ring, ReceiveBlocks blocks, int wake)
      : queue_(std::move(ring), wake), receiver_(queue_, std::move(blocks)) {}

  ~UringBackend() override {
    queue_.Close();
    while (closing_ != nullptr) Free(closing_);
  }

  std::string_view name() const override { return "io_uring"; }

  IoHandle* Attach(int fd) override {
    auto* handle = new UringHandle;
    handle->fd = fd;
    return handle;
  }

  void Detach(IoHandle* base) override {
    auto* handle = static_cast<UringHandle*>(base);
    PILLION_CHECK(handle->reader == nullptr && handle->writer == nullptr);
    handle->detached = true;
    handle->next_closing = closing_;
    if (closing_ != nullptr) closing_->previous_closing = handle;
    closing_ = handle;
    // The kernel keeps the connection open as long as it works on it.
    receiver_.Stop(*handle);
    if (handle->polling) queue_.CancelSubmission(handle, kPeer);
    FreeIfLetGo(handle);
  }

  bool Start(IoOperation& operation, absl::Status* status) override {
    auto& handle = *static_cast<UringHandle*>(operation.handle);
    if (IsReader(operation)) return receiver_.Start(operation, handle, status);
    PILLION_CHECK(handle.writer == nullptr);
    if (StartSend(queue_, operation, status)) return true;
    handle.writer = &operation;
    return false;
  }

  void Cancel(IoOperation& operation, const absl::Status& why) override {
    auto& handle = *static_cast<UringHandle*>(operation.handle);
    if (operation.kind == IoOperation::Kind::kReceive || (handle.listens && !handle.armed)) {
      // What is with the kernel is the handle's.
      handle.reader = nullptr;
      operation.Finish(why);
      return;
    }
    operation.withdrawn = why;
    if (handle.listens) {
      receiver_.Stop(handle);  // what was accepted until then is not to be lost
    } else {
      queue_.CancelSubmission(&operation, kOperation);
    }
  }

  void Watch(IoHandle* base) override {
    auto& handle = *static_cast<UringHandle*>(base);
    handle.watched = true;
    receiver_.KeepWatch(handle);
  }

  void Poll(Duration timeout) override {
    if (!queue_.enabled()) {
      queue_.Enable();
      receiver_.Fill();
    }
    queue_.SubmitAndWait(timeout);
    receiver_.BeginTurn();
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(queue_.get(), head, cqe) {
      OnCompletion(cqe->user_data, cqe->res, cqe->flags);
      ++count;
    }
    io_uring_cq_advance(queue_.get(), count);
  }

  void Wake() override { queue_.Wake(); }

 private:
  void OnCompletion(uint64_t user_data, int result, uint32_t flags) {
    void* const owner = reinterpret_cast<void*>(user_data & ~kTagMask);
    switch (user_data & kTagMask) {
      case kOperation:
        OnOperation(*static_cast<IoOperation*>(owner), result);
        break;
      case kStream: {
        auto* const handle = static_cast<UringHandle*>(owner);
        receiver_.OnStream(*handle, result, flags);
        if (handle->detached) FreeIfLetGo(handle);
        break;
      }
      case kPeer: {
        auto* const handle = static_cast<UringHandle*>(owner);
        receiver_.OnPeer(*handle, result);
        if (handle->detached) FreeIfLetGo(handle);
        break;
      }
      case kWake:
        if ((flags & IORING_CQE_F_MORE) == 0) queue_.WatchForWakes();
        break;
      case kNobody:
        break;
    }
  }

  void OnOperation(IoOperation& operation, int result) {
    absl::Status status;
    if (!OnSent(queue_, operation, result, &status)) return;
    static_cast<UringHandle*>(operation.handle)->writer = nullptr;
    operation.Finish(std::move(status));
  }

  void FreeIfLetGo(UringHandle* handle) {
    if (!handle->armed && !handle->polling) Free(handle);
  }

  void Free(UringHandle* handle) {
    UringHandle*& link =
        handle->previous_closing != nullptr ? handle->previous_closing->next_closing : closing_;
    link = handle->next_closing;
    if (link != nullptr) link->previous_closing = handle->previous_closing;
    delete handle;
  }

  UringQueue queue_;
  UringReceiver receiver_;
  UringHandle* closing_ = nullptr;  // detached, and the kernel has not let go of them yet
};

absl::StatusOr<std::unique_ptr<IoBackend>> CreateUringBackend() {
  if (!UringUsable().ok()) return UringUsable();
  // Disabled at first, so that whoever runs the loop becomes its single issuer.
  absl::StatusOr<Ring> ring = MakeRing(kSubmissions, kCompletions, IORING_SETUP_R_DISABLED);
  if (!ring.ok()) return ring.status();
  absl::StatusOr<ReceiveBlocks> blocks = UringReceiver::RegisterBlocks(ring->get());
  if (!blocks.ok()) return blocks.status();
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) return absl::ErrnoToStatus(errno, "eventfd");
  return std::make_unique<UringBackend>(*std::move(ring), *std::move(blocks), wake);
}

}  // namespace pillion::net
