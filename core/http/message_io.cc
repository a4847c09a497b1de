#include "core/http/message_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/http/serialize.h"

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

void BodyReader::Release() {
  in_.Consume(held_);
  held_ = 0;
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

MessageSend::MessageSend(MessageWriter& writer, absl::Status refused, net::Buffer out,
                         std::string_view data, std::string_view tail, bool end,
                         net::CancelScope& scope)
    : writer_(writer),
      refused_(std::move(refused)),
      end_(end),
      out_(std::move(out)),
      send_(writer.socket_.Send(scope, out_.view(), data, tail)) {}

absl::Status MessageSend::await_resume() {
  if (!refused_.ok()) return refused_;
  absl::Status status = send_.await_resume();
  if (status.ok() && end_) writer_.done_ = true;
  return status;
}

template <typename Head>
MessageSend MessageWriter::Begin(const Head& head, BodyFraming framing, std::string_view first,
                                 bool end, net::CancelScope& scope) {
  framing_ = framing;
  started_ = true;
  absl::Status refused = Account(first, end);
  net::Buffer out;
  const size_t size = SerializedSize(head);
  const bool joined = first.size() <= kJoined;
  out.Reserve(size + kMaxChunkHeader + (joined ? first.size() + kEndOfLastChunk.size() : 0));
  SerializeTo(out.tail(), head);
  out.Produce(size);
  std::string_view tail;
  if (framing.kind == BodyFraming::kChunked) {
    if (!first.empty()) out.Produce(FormatChunkHeader(out.tail(), first.size()));
    tail = ChunkTail(!first.empty(), end);
  }
  if (joined) {
    out.Append(first);
    out.Append(tail);
    first = tail = {};
  }
  return MessageSend(*this, std::move(refused), std::move(out), first, tail, end, scope);
}

MessageSend MessageWriter::SendHead(const RequestHead& head, BodyFraming framing,
                                    std::string_view first, bool end, net::CancelScope& scope) {
  return Begin(head, framing, first, end, scope);
}

MessageSend MessageWriter::SendHead(const ResponseHead& head, BodyFraming framing,
                                    std::string_view first, bool end, net::CancelScope& scope) {
  return Begin(head, framing, first, end, scope);
}

MessageSend MessageWriter::SendBody(std::string_view piece, bool end, net::CancelScope& scope) {
  absl::Status refused = Account(piece, end);
  net::Buffer chunk_header;
  std::string_view tail;
  if (framing_.kind == BodyFraming::kChunked) {
    if (!piece.empty()) {
      chunk_header.Reserve(kMaxChunkHeader);
      chunk_header.Produce(FormatChunkHeader(chunk_header.tail(), piece.size()));
    }
    tail = ChunkTail(!piece.empty(), end);
  }
  return MessageSend(*this, std::move(refused), std::move(chunk_header), piece, tail, end, scope);
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
