// Where in the files each part of a configuration message was written.
//
// Threads: a plain container.
#ifndef PILLION_CORE_CONFIG_PLACE_H_
#define PILLION_CORE_CONFIG_PLACE_H_

#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace pillion::config {

struct Place {
  const std::string* file = nullptr;  // the SourceFile's name
  int line = 0;
  int column = 0;
  int index = 0;     // of an element of a list: where it stands in the list of its file
  bool bad = false;  // written, but so wrong that the message does not have it
};

// Places of fields (where the value is), of elements of lists, and of messages as such. Messages
// are known by address, which protobuf keeps while lists grow.
class PlaceMap {
 public:
  void Set(const google::protobuf::Message& message, Place place) {
    places_[{&message, nullptr, -1}] = place;
  }
  void Set(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field,
           int index, Place place) {
    places_[{&message, field, index}] = place;
  }

  // nullptr: not written. `index` is -1 for a field as a whole.
  const Place* Find(const google::protobuf::Message& message,
                    const google::protobuf::FieldDescriptor* field = nullptr,
                    int index = -1) const {
    const auto found = places_.find({&message, field, index});
    return found == places_.end() ? nullptr : &found->second;
  }

 private:
  using Key =
      std::tuple<const google::protobuf::Message*, const google::protobuf::FieldDescriptor*, int>;
  absl::flat_hash_map<Key, Place> places_;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_PLACE_H_
