// A name server on loopback for tests: answers A and AAAA questions from a table (RFC 1035).

#ifndef PILLION_SIDECAR_UPSTREAM_TEST_DNS_SERVER_H_
#define PILLION_SIDECAR_UPSTREAM_TEST_DNS_SERVER_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pillion::upstream {

// Threads: any.
class TestDnsServer {
 public:
  struct Records {
    std::vector<std::string> addresses;  // both families
    uint32_t ttl = 1;                    // seconds
    bool silent = false;                 // questions are not answered at all
  };

  TestDnsServer();
  TestDnsServer(const TestDnsServer&) = delete;
  TestDnsServer& operator=(const TestDnsServer&) = delete;
  ~TestDnsServer();

  // "127.0.0.1:PORT"
  const std::string& address() const { return address_; }

  void Set(std::string_view name, Records records);
  // No such name, from here on; names that were never set are unknown, too.
  void Remove(std::string_view name);
  // Questions for the name so far, of either type.
  int questions(std::string_view name);

 private:
  void Run();
  std::string Answer(std::string_view question);

  int socket_;
  std::string address_;
  std::mutex mutex_;
  std::map<std::string, Records, std::less<>> table_;
  std::map<std::string, int, std::less<>> questions_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_TEST_DNS_SERVER_H_
