// The same as relay_epoll, with io_uring: how little passing bytes on can cost on this kernel.
//
// One thread and one system call a turn (submit and wait). Accepting and receiving are multishot:
// asked for once, they go on giving results. Received bytes lie in buffers that the kernel takes
// from a ring of ours; they are sent from where they are, then their buffer goes back.
//
// When all buffers are taken, receiving ends with ENOBUFS; it is asked for anew when some are back.

#include <liburing.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/sockets.h"

namespace pillion::bench {
namespace {

constexpr unsigned kQueueEntries = 4096;
constexpr unsigned kBuffers = 256;  // a power of two
constexpr unsigned kBufferBytes = 64 * 1024;
constexpr int kBufferGroup = 0;

struct Pair;

// Received bytes on their way to the other side, in buffer `id`.
struct Piece {
  uint16_t id;
  uint32_t offset;
  uint32_t length;
};

// One of the two sockets of a pair.
struct alignas(8) Side {
  Pair* pair = nullptr;
  Side* other = nullptr;
  int fd = -1;
  std::vector<Piece> unsent = {};  // to be sent here; the first is being sent
  bool finished = false;           // its end was read
};

struct Pair {
  Side downstream;
  Side upstream;
  sockaddr_in address;
  int operations = 0;  // that the kernel has not answered for good
  bool broken = false;
};

// What a completion is about: a side's address, with the operation in the bits that alignment
// frees.
enum Operation : uint64_t { kAccept, kConnect, kReceive, kSend, kOperationMask = 7 };

class Relayer {
 public:
  Relayer(int listener, uint16_t upstream)
      : listener_(listener),
        upstream_(upstream),
        memory_(new char[size_t{kBuffers} * kBufferBytes]) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 4 * kQueueEntries;
    int error = io_uring_queue_init_params(kQueueEntries, &ring_, &params);
    if (error < 0) Die("io_uring_queue_init_params", -error);
    io_uring_register_ring_fd(&ring_);  // a little cheaper to enter; not needed

    void* entries = nullptr;
    if (posix_memalign(&entries, sysconf(_SC_PAGESIZE), kBuffers * sizeof(io_uring_buf)) != 0) {
      Die("posix_memalign", ENOMEM);
    }
    buffers_ = static_cast<io_uring_buf_ring*>(entries);
    io_uring_buf_ring_init(buffers_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<uint64_t>(entries);
    registration.ring_entries = kBuffers;
    registration.bgid = kBufferGroup;
    error = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (error < 0) Die("io_uring_register_buf_ring", -error);
    for (unsigned id = 0; id < kBuffers; ++id) GiveBack(id);
  }

  void Serve() {
    Accept();
    for (;;) {
      const int error = io_uring_submit_and_wait(&ring_, 1);
      if (error < 0 && error != -EINTR) Die("io_uring_submit_and_wait", -error);
      unsigned head;
      unsigned count = 0;
      io_uring_cqe* cqe;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        ++count;
        Handle(*cqe);
      }
      io_uring_cq_advance(&ring_, count);
      if (!starved_.empty() && free_buffers_ > 0) ReceiveForStarved();
    }
  }

 private:
  io_uring_sqe* NewEntry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
      if (sqe == nullptr) Die("io_uring_get_sqe", EBUSY);
    }
    return sqe;
  }

  void Tag(io_uring_sqe* sqe, Side* side, Operation operation) {
    io_uring_sqe_set_data64(sqe, reinterpret_cast<uint64_t>(side) | operation);
    if (side != nullptr) ++side->pair->operations;
  }

  void Accept() {
    io_uring_sqe* sqe = NewEntry();
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    Tag(sqe, nullptr, kAccept);
  }

  void Receive(Side& side) {
    io_uring_sqe* sqe = NewEntry();
    io_uring_prep_recv_multishot(sqe, side.fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = kBufferGroup;
    Tag(sqe, &side, kReceive);
  }

  void SendFirst(Side& side) {
    const Piece& piece = side.unsent.front();
    io_uring_sqe* sqe = NewEntry();
    io_uring_prep_send(sqe, side.fd, Buffer(piece.id) + piece.offset, piece.length,
                       MSG_NOSIGNAL | MSG_WAITALL);
    Tag(sqe, &side, kSend);
  }

  void Handle(const io_uring_cqe& cqe) {
    auto* side = reinterpret_cast<Side*>(cqe.user_data & ~uint64_t{kOperationMask});
    const bool last = (cqe.flags & IORING_CQE_F_MORE) == 0;
    if (side != nullptr && last) --side->pair->operations;
    switch (static_cast<Operation>(cqe.user_data & kOperationMask)) {
      case kAccept:
        if (cqe.res >= 0) OnAccepted(cqe.res);
        if (last) Accept();
        return;
      case kConnect:
        OnConnected(*side, cqe.res);
        break;
      case kReceive:
        OnReceived(*side, cqe, last);
        break;
      case kSend:
        OnSent(*side, cqe.res);
        break;
      case kOperationMask:
        break;
    }
    CloseIfOver(side->pair);
  }

  void OnAccepted(int fd) {
    const int upstream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (upstream < 0) Die("socket", errno);
    auto* pair = new Pair;
    pair->downstream = {.pair = pair, .other = &pair->upstream, .fd = fd};
    pair->upstream = {.pair = pair, .other = &pair->downstream, .fd = upstream};
    pair->address = Loopback(upstream_);
    SendAtOnce(fd);
    SendAtOnce(upstream);
    io_uring_sqe* sqe = NewEntry();
    io_uring_prep_connect(sqe, upstream, reinterpret_cast<sockaddr*>(&pair->address),
                          sizeof pair->address);
    Tag(sqe, &pair->upstream, kConnect);
  }

  void OnConnected(Side& upstream, int result) {
    if (result < 0) {
      Break(upstream.pair);
      return;
    }
    Receive(upstream);
    Receive(*upstream.other);
  }

  void OnReceived(Side& side, const io_uring_cqe& cqe, bool last) {
    if (cqe.res > 0) {
      const auto id = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      --free_buffers_;
      if (side.pair->broken) {
        GiveBack(id);
        return;
      }
      side.other->unsent.push_back({id, 0, static_cast<uint32_t>(cqe.res)});
      if (side.other->unsent.size() == 1) SendFirst(*side.other);
      if (last) Receive(side);
    } else if (cqe.res == 0) {
      side.finished = true;
      PassOnEnd(*side.other);
    } else if (cqe.res == -ENOBUFS) {
      ++side.pair->operations;  // it is still to be received from: keeps the pair
      starved_.push_back(&side);
    } else {
      Break(side.pair);
    }
  }

  void OnSent(Side& side, int result) {
    Piece& piece = side.unsent.front();
    if (result > 0 && static_cast<uint32_t>(result) < piece.length) {
      piece.offset += result;
      piece.length -= result;
      SendFirst(side);
      return;
    }
    GiveBack(piece.id);
    side.unsent.erase(side.unsent.begin());
    if (result < 0) Break(side.pair);
    if (side.pair->broken) {
      for (const Piece& each : side.unsent) GiveBack(each.id);
      side.unsent.clear();
    } else if (!side.unsent.empty()) {
      SendFirst(side);
    } else {
      PassOnEnd(side);
    }
  }

  void ReceiveForStarved() {
    std::vector<Side*> starved;
    starved.swap(starved_);
    for (Side* side : starved) {
      --side->pair->operations;
      if (side->pair->broken) {
        CloseIfOver(side->pair);
      } else {
        Receive(*side);
      }
    }
  }

  void PassOnEnd(Side& side) {
    if (side.other->finished && side.unsent.empty()) shutdown(side.fd, SHUT_WR);
  }

  // Lets all operations of the pair end.
  void Break(Pair* pair) {
    pair->broken = true;
    shutdown(pair->downstream.fd, SHUT_RDWR);
    shutdown(pair->upstream.fd, SHUT_RDWR);
  }

  void CloseIfOver(Pair* pair) {
    if (pair->operations > 0) return;
    close(pair->downstream.fd);
    close(pair->upstream.fd);
    delete pair;
  }

  char* Buffer(unsigned id) { return memory_.get() + size_t{id} * kBufferBytes; }

  void GiveBack(unsigned id) {
    io_uring_buf_ring_add(buffers_, Buffer(id), kBufferBytes, id, io_uring_buf_ring_mask(kBuffers),
                          0);
    io_uring_buf_ring_advance(buffers_, 1);
    ++free_buffers_;
  }

  const int listener_;
  const uint16_t upstream_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  const std::unique_ptr<char[]> memory_;
  unsigned free_buffers_ = 0;
  std::vector<Side*> starved_;  // of a buffer to receive into
};

}  // namespace
}  // namespace pillion::bench

int main(int argc, char** argv) {
  using namespace pillion::bench;
  const Ports ports = ParsePorts(argc, argv, /*has_upstream=*/true);
  Relayer(Listen(ports.listen, 0), ports.upstream).Serve();
}
