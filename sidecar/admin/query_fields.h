// The query of a URL as the fields of messages: `state=failed&page_size=10`.

#ifndef PILLION_SIDECAR_ADMIN_QUERY_FIELDS_H_
#define PILLION_SIDECAR_ADMIN_QUERY_FIELDS_H_

#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}

namespace pillion::sidecar::admin {

// Sets, for each parameter of `query`, the field of this name (as in the .proto or as in JSON) in
// the first of `messages` that has one: text, uint32, an enum (in any case) or a Timestamp (RFC
// 3339). A text that is empty is as good as absent. InvalidArgument says which parameter is wrong,
// and what it can be: an unknown name, a value that is none, one that is there twice.
absl::Status SetFieldsFromQuery(std::string_view query,
                                const std::vector<google::protobuf::Message*>& messages);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_QUERY_FIELDS_H_
