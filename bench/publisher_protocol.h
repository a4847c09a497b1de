// What the publisher says to a server and how it reads the replies, for each protocol that it
// speaks.
//
// Both protocols are strictly one request, one reply as the publisher uses them, so that a
// connection is a sequence of steps: some to open it, then the same publish again and again, and
// one in the end.
#ifndef PILLION_BENCH_PUBLISHER_PROTOCOL_H_
#define PILLION_BENCH_PUBLISHER_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pillion::bench {

// What stands at the beginning of the received bytes.
struct Reply {
  size_t size = 0;    // in bytes; 0: not complete yet
  uint32_t kind = 0;  // compared with Step::reply; 0: no reply to anything, to be skipped
  std::string
      error{};  // the server refused, or does not keep to the protocol; then nothing else counts
};

struct Step {
  std::string request;
  uint32_t reply = 0;  // the kind that says that it was done
};

struct Protocol {
  std::vector<Step> opening;  // for each connection, before the load
  Step publish;               // replied to when the message is durable
  Step closing;               // for one connection, after the load: removes what was published
  Reply (*read)(std::string_view received) = nullptr;
};

// Redis (RESP 2): an entry of one field is added to a stream with XADD.
Protocol RedisStream(size_t body_bytes);

// RabbitMQ (AMQP 0-9-1 with publisher confirms): a persistent message is published to a durable
// queue of `queue_type` ("classic" or "quorum"), as user guest. `body_bytes` at most kMaxAmqpBody.
inline constexpr size_t kMaxAmqpBody = 65536;
Protocol AmqpQueue(std::string_view queue_type, size_t body_bytes);

}  // namespace pillion::bench

#endif  // PILLION_BENCH_PUBLISHER_PROTOCOL_H_
