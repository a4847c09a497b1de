// A name for content: equal content has an equal hash, on every machine and in every build.
#ifndef PILLION_CORE_CONFIG_CONTENT_HASH_H_
#define PILLION_CORE_CONFIG_CONTENT_HASH_H_

#include <memory>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace pillion::config {

// SHA-256 over a sequence of strings; where one string ends and the next begins counts.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();

  ContentHash& Add(std::string_view part);

  // 16 lower-case hexadecimal digits. REQUIRES: called once, last.
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The message's bytes, the same for equal messages of one schema.
std::string DeterministicBytes(const google::protobuf::Message& message);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_CONTENT_HASH_H_
