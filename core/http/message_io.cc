#include "core/http/message_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/http/serialize.h"
#include "core/net/loop.h"

namespace pillion::http {
namespace {

constexpr std::string_view kEndOfLastChunk = "\r\n0\r\n\r\n";

// Up to this much of a body is copied behind its head: one piece costs the kernel less than two.
constexpr size_t kJoined = 2048;

std::string_view ChunkTail(bool has_data, bool end) {
  if (has_data) return end ? kEndOfLastChunk : kChunkEnd;
  return end ? kFinalChunk : std::string_view();
}

}  // namespace

void BodyReader::Start(BodyFraming framing) {
  framing_ = framing;
  decoder_.Reset();
  remaining_ = framing.length;
  bytes_ = 0;
  held_ = 0;
  done_ = !framing.has_body();
}

absl::StatusOr<std::string_view> BodyReader::ReadBuffered() {
  Release();
  if (done_) return std::string_view();
  std::string_view piece = in_.view();
  switch (framing_.kind) {
    case BodyFraming::kNone:
      break;
    case BodyFraming::kLength:
      piece = piece.substr(0, remaining_);
      remaining_ -= piece.size();
      done_ = remaining_ == 0;
      held_ = piece.size();
      break;
    case BodyFraming::kUntilClose:
      held_ = piece.size();
      break;
    case BodyFraming::kChunked: {
      const ChunkedDecoder::Result result = decoder_.Decode(in_.view());
      if (result.failed) {
        error_status_ = result.error.status;
        return absl::InvalidArgumentError(result.error.reason);
      }
      held_ = result.consumed;
      piece = result.data;
      done_ = result.done;
      // The end of the body usually arrives with its last data: say so at once, so that both are
      // passed on in one call.
      if (!done_ && in_.view().substr(held_).starts_with(kEndOfLastChunk)) {
        const ChunkedDecoder::Result end = decoder_.Decode(in_.view().substr(held_));
        held_ += end.consumed;
        done_ = end.done;
      }
      break;
    }
  }
  bytes_ += piece.size();
  return piece;
}

net::Task<absl::StatusOr<std::string_view>> BodyReader::Read(net::CancelScope& scope) {
  while (true) {
    absl::StatusOr<std::string_view> piece = ReadBuffered();
    if (!piece.ok() || !piece->empty() || done_) co_return piece;
    Release();
    if (in_.empty()) in_.Release();  // a waiting connection holds no memory
    absl::StatusOr<size_t> received = co_await socket_.Receive(in_, scope);
    if (!received.ok()) co_return received.status();
    if (*received == 0) {
      if (framing_.kind != BodyFraming::kUntilClose) {
        co_return absl::DataLossError("the connection ended within the body");
      }
      done_ = true;
      co_return std::string_view();
    }
  }
}

template <typename Head>
MessageSend::MessageSend(MessageWriter& writer, const Head& head, std::string_view first, bool end,
                         net::CancelScope& scope)
    : SendAwaiter(writer.socket_, scope), writer_(writer), end_(end) {
  status_ = writer.Account(first, end);
  const size_t size = SerializedSize(head);
  const bool joined = first.size() <= kJoined;
  head_.Reserve(size + kMaxChunkHeader + (joined ? first.size() + kEndOfLastChunk.size() : 0));
  SerializeTo(head_.tail(), head);
  head_.Produce(size);
  std::string_view tail;
  if (writer.framing_.kind == BodyFraming::kChunked) {
    if (!first.empty()) head_.Produce(FormatChunkHeader(head_.tail(), first.size()));
    tail = ChunkTail(!first.empty(), end);
  }
  if (joined) {
    head_.Append(first);
    head_.Append(tail);
    first = tail = {};
  }
  Add(head_.view());
  Add(first);
  Add(tail);
}

MessageSend::MessageSend(MessageWriter& writer, std::string_view piece, bool end,
                         net::CancelScope& scope)
    : SendAwaiter(writer.socket_, scope), writer_(writer), end_(end) {
  status_ = writer.Account(piece, end);
  const bool chunked = writer.framing_.kind == BodyFraming::kChunked;
  if (chunked && !piece.empty()) {
    Add({chunk_header_.data(), FormatChunkHeader(chunk_header_.data(), piece.size())});
  }
  Add(piece);
  if (chunked) Add(ChunkTail(!piece.empty(), end));
}

MessageSend::MessageSend(MessageWriter& writer, absl::Status refused, net::CancelScope& scope)
    : SendAwaiter(writer.socket_, scope), writer_(writer), end_(false) {
  status_ = std::move(refused);
}

// What the kernel takes at once needs no scope with a deadline.
void MessageSend::await_suspend(std::coroutine_handle<> waiter) {
  if (!ended_ && writer_.timeout_ > net::Duration::zero()) {
    limit_.emplace(loop_, cancel_scope_);
    limit_->SetDeadline(loop_.now() + writer_.timeout_, writer_.timeout_reason_);
    cancel_scope_ = &*limit_;
  }
  SendAwaiter::await_suspend(waiter);
}

absl::Status MessageSend::await_resume() {
  if (status_.ok() && end_) writer_.done_ = true;
  return std::move(status_);
}

MessageSend MessageWriter::SendHead(const RequestHead& head, BodyFraming framing,
                                    std::string_view first, bool end, net::CancelScope& scope) {
  framing_ = framing;
  started_ = true;
  return MessageSend(*this, head, first, end, scope);
}

MessageSend MessageWriter::SendHead(const ResponseHead& head, BodyFraming framing,
                                    std::string_view first, bool end, net::CancelScope& scope) {
  framing_ = framing;
  started_ = true;
  return MessageSend(*this, head, first, end, scope);
}

MessageSend MessageWriter::SendBody(std::string_view piece, bool end, net::CancelScope& scope) {
  return MessageSend(*this, piece, end, scope);
}

MessageSend MessageWriter::Refuse(absl::Status why, net::CancelScope& scope) {
  return MessageSend(*this, std::move(why), scope);
}

absl::Status MessageWriter::Account(std::string_view piece, bool end) {
  bytes_ += piece.size();
  if (framing_.kind != BodyFraming::kLength) return absl::OkStatus();
  if (bytes_ > framing_.length) {
    return absl::InvalidArgumentError("the body is longer than its content-length");
  }
  if (end && bytes_ < framing_.length) {
    return absl::InvalidArgumentError("the body is shorter than its content-length");
  }
  return absl::OkStatus();
}

}  // namespace pillion::http
