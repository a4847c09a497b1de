// AMQP 0-9-1 (https://www.rabbitmq.com/amqp-0-9-1-reference), and RabbitMQ's extension of it for
// confirms.

#include <string>

#include "bench/publisher_protocol.h"

namespace pillion::bench {
namespace {

constexpr std::string_view kQueue = "pillion-bench";

// Frame types, section 2.3.5, and what ends each frame.
constexpr uint8_t kMethod = 1;
constexpr uint8_t kHeader = 2;
constexpr uint8_t kBody = 3;
constexpr uint8_t kHeartbeat = 8;
constexpr char kFrameEnd = '\xCE';
constexpr size_t kFrameHead = 7;
constexpr uint32_t kFrameMax = 131072;  // RabbitMQ's default, which TuneOk may only lower

constexpr uint16_t kWholeConnection = 0;
constexpr uint16_t kChannel = 1;

// Class and method in one number, as they stand in a frame.
constexpr uint32_t Method(uint16_t of_class, uint16_t method) {
  return uint32_t{of_class} << 16 | method;
}

constexpr uint32_t kConnectionStart = Method(10, 10);
constexpr uint32_t kConnectionStartOk = Method(10, 11);
constexpr uint32_t kConnectionTune = Method(10, 30);
constexpr uint32_t kConnectionTuneOk = Method(10, 31);
constexpr uint32_t kConnectionOpen = Method(10, 40);
constexpr uint32_t kConnectionOpenOk = Method(10, 41);
constexpr uint32_t kConnectionClose = Method(10, 50);
constexpr uint32_t kChannelOpen = Method(20, 10);
constexpr uint32_t kChannelOpenOk = Method(20, 11);
constexpr uint32_t kChannelClose = Method(20, 40);
constexpr uint32_t kQueueDeclare = Method(50, 10);
constexpr uint32_t kQueueDeclareOk = Method(50, 11);
constexpr uint32_t kQueueDelete = Method(50, 40);
constexpr uint32_t kQueueDeleteOk = Method(50, 41);
constexpr uint16_t kBasicClass = 60;
constexpr uint32_t kBasicPublish = Method(60, 40);
constexpr uint32_t kBasicAck = Method(60, 80);
constexpr uint32_t kBasicNack = Method(60, 120);
constexpr uint32_t kConfirmSelect = Method(85, 10);
constexpr uint32_t kConfirmSelectOk = Method(85, 11);

// Big-endian, as everything in AMQP.
class Bytes {
 public:
  template <typename T>
  Bytes& Number(T value) {
    for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift);
    }
    return *this;
  }
  Bytes& Short(std::string_view text) {
    Number(static_cast<uint8_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  Bytes& Long(std::string_view text) {
    Number(static_cast<uint32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  const std::string& str() const { return bytes_; }

 private:
  std::string bytes_;
};

uint32_t NumberAt(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

std::string Frame(uint8_t type, uint16_t channel, std::string_view payload) {
  return Bytes().Number(type).Number(channel).Long(payload).str() + kFrameEnd;
}

std::string Call(uint16_t channel, uint32_t method, const Bytes& arguments) {
  return Frame(kMethod, channel, Bytes().Number(method).str() + arguments.str());
}

// Connection.Close or Channel.Close: a code and a text.
std::string ReasonOf(std::string_view payload) {
  if (payload.size() < 7) return "closed without a reason";
  const size_t length = static_cast<uint8_t>(payload[6]);
  return std::to_string(NumberAt(payload, 4, 2)) + " " + std::string(payload.substr(7, length));
}

Reply Read(std::string_view received) {
  if (received.size() < kFrameHead) return {};
  const uint32_t length = NumberAt(received, 3, 4);
  // A server that speaks another version says so by `AMQP` and its own, which is no frame.
  if (received.substr(0, 4) == "AMQP" || length > kFrameMax) return {.error = "no AMQP 0-9-1"};
  Reply reply{.size = kFrameHead + length + 1};
  if (received.size() < reply.size) return {};
  if (received[reply.size - 1] != kFrameEnd) return {.error = "a frame of AMQP without its end"};
  const uint8_t type = static_cast<uint8_t>(received[0]);
  if (type == kHeartbeat) return reply;
  if (type != kMethod || length < 4) return {.error = "a frame of AMQP that nobody asked for"};
  const std::string_view payload = received.substr(kFrameHead, length);
  reply.kind = NumberAt(payload, 0, 4);
  if (reply.kind == kConnectionClose || reply.kind == kChannelClose) {
    reply.error = ReasonOf(payload);
  } else if (reply.kind == kBasicNack) {
    reply.error = "a message was not taken (basic.nack)";
  }
  return reply;
}

std::string Publish(size_t body_bytes) {
  const auto publish =  // Reserved, exchange (the default one), routing key, flags.
      Bytes().Number(uint16_t{0}).Short("").Short(kQueue).Number(uint8_t{0});
  constexpr uint16_t kHasDeliveryMode = 1 << 12;
  constexpr uint8_t kPersistent = 2;
  const auto header = Bytes()
                          .Number(kBasicClass)
                          .Number(uint16_t{0})  // weight, unused
                          .Number(uint64_t{body_bytes})
                          .Number(kHasDeliveryMode)
                          .Number(kPersistent);
  return Call(kChannel, kBasicPublish, publish) + Frame(kHeader, kChannel, header.str()) +
         Frame(kBody, kChannel, std::string(body_bytes, 'x'));
}

}  // namespace

Protocol AmqpQueue(std::string_view queue_type, size_t body_bytes) {
  using namespace std::string_literals;
  using namespace std::string_view_literals;
  const auto start = Bytes()
                         .Long("")  // no client properties
                         .Short("PLAIN")
                         .Long("\0guest\0guest"sv)
                         .Short("en_US");
  const auto tune =  // Channels, frame size, no heartbeats.
      Bytes().Number(uint16_t{1}).Number(kFrameMax).Number(uint16_t{0});
  const auto open = Bytes().Short("/").Short("").Number(uint8_t{0});
  constexpr uint8_t kDurable = 1 << 1;
  const auto declare = Bytes()
                           .Number(uint16_t{0})
                           .Short(kQueue)
                           .Number(kDurable)
                           .Long(Bytes().Short("x-queue-type").Number('S').Long(queue_type).str());
  const auto remove = Bytes().Number(uint16_t{0}).Short(kQueue).Number(uint8_t{0});
  return {
      .opening = {{"AMQP\0\0\x09\x01"s, kConnectionStart},
                  {Call(kWholeConnection, kConnectionStartOk, start), kConnectionTune},
                  {Call(kWholeConnection, kConnectionTuneOk, tune) +
                       Call(kWholeConnection, kConnectionOpen, open),
                   kConnectionOpenOk},
                  {Call(kChannel, kChannelOpen, Bytes().Short("")), kChannelOpenOk},
                  {Call(kChannel, kQueueDeclare, declare), kQueueDeclareOk},
                  {Call(kChannel, kConfirmSelect, Bytes().Number(uint8_t{0})), kConfirmSelectOk}},
      .publish = {Publish(body_bytes), kBasicAck},
      .closing = {Call(kChannel, kQueueDelete, remove), kQueueDeleteOk},
      .read = Read};
}

}  // namespace pillion::bench
