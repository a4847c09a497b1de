#include "sidecar/upstream/test_dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "core/net/address.h"

namespace pillion::upstream {
namespace {

constexpr size_t kHeader = 12;
constexpr uint16_t kA = 1;
constexpr uint16_t kAaaa = 28;

void Put16(std::string* out, uint32_t value) {
  out->push_back(static_cast<char>(value >> 8 & 0xff));
  out->push_back(static_cast<char>(value & 0xff));
}

void Put32(std::string* out, uint32_t value) {
  Put16(out, value >> 16);
  Put16(out, value & 0xffff);
}

uint16_t Get16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 |
                               static_cast<uint8_t>(bytes[at + 1]));
}

}  // namespace

TestDnsServer::TestDnsServer() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  const net::Address any = *net::Address::Parse("127.0.0.1:0");
  PILLION_CHECK(bind(socket_, any.get(), any.length()) == 0);
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  getsockname(socket_, reinterpret_cast<sockaddr*>(&bound), &length);
  address_ = net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&bound), length).ToString();
  thread_ = std::thread([this] { Run(); });
}

TestDnsServer::~TestDnsServer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const net::Address self = *net::Address::Parse(address_);
  (void)sendto(socket_, "", 0, 0, self.get(), self.length());  // ends its wait
  thread_.join();
  close(socket_);
}

void TestDnsServer::Set(std::string_view name, Records records) {
  std::lock_guard lock(mutex_);
  table_[std::string(name)] = std::move(records);
}

void TestDnsServer::Remove(std::string_view name) {
  std::lock_guard lock(mutex_);
  table_.erase(std::string(name));
}

int TestDnsServer::questions(std::string_view name) {
  std::lock_guard lock(mutex_);
  return questions_[std::string(name)];
}

void TestDnsServer::Run() {
  char buffer[1500];
  while (true) {
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const ssize_t size =
        recvfrom(socket_, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&peer), &length);
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (size < 0) continue;
    const std::string answer = Answer({buffer, static_cast<size_t>(size)});
    if (answer.empty()) continue;
    (void)sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer),
                 length);
  }
}

std::string TestDnsServer::Answer(std::string_view question) {
  std::string name;
  size_t at = kHeader;
  while (at < question.size() && question[at] != 0) {
    const size_t label = static_cast<uint8_t>(question[at]);
    if (at + 1 + label >= question.size()) return "";
    if (!name.empty()) name += '.';
    name += question.substr(at + 1, label);
    at += 1 + label;
  }
  if (at + 5 > question.size()) return "";
  const uint16_t type = Get16(question, at + 1);
  const std::string_view asked = question.substr(kHeader, at + 5 - kHeader);
  ++questions_[name];

  const auto found = table_.find(name);
  std::string records;
  uint16_t count = 0;
  if (found != table_.end()) {
    if (found->second.silent) return "";
    for (const std::string& text : found->second.addresses) {
      unsigned char bytes[16];
      const int family = type == kA ? AF_INET : AF_INET6;
      if ((type != kA && type != kAaaa) || inet_pton(family, text.c_str(), bytes) != 1) continue;
      Put16(&records, 0xc000 | kHeader);  // the name that was asked for
      Put16(&records, type);
      Put16(&records, 1);  // IN
      Put32(&records, found->second.ttl);
      const size_t size = type == kA ? 4 : 16;
      Put16(&records, static_cast<uint32_t>(size));
      records.append(reinterpret_cast<const char*>(bytes), size);
      ++count;
    }
  }
  std::string answer(question.substr(0, 2));
  Put16(&answer, found != table_.end() ? 0x8180 : 0x8183);  // an answer; NXDOMAIN
  Put16(&answer, 1);
  Put16(&answer, count);
  Put32(&answer, 0);
  answer += asked;
  return answer + records;
}

}  // namespace pillion::upstream
