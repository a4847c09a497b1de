// What a request says, in the query of its URL or in a body of JSON, as the fields of messages:
// `state=failed&page_size=10`, `{"filter": {"state": "failed"}}`.
//
// Fields are named as in the .proto or as in JSON. Values: text, whole numbers from 0, enums (in
// any case), times (RFC 3339); in JSON also true and false, messages, and lists of texts. An error
// is InvalidArgument, and says which field is wrong and what it can be.

#ifndef PILLION_SIDECAR_ADMIN_REQUEST_FIELDS_H_
#define PILLION_SIDECAR_ADMIN_REQUEST_FIELDS_H_

#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}

namespace pillion::sidecar::admin {

// Sets, for each parameter of `query`, the field of this name in the first of `messages` that has
// one. Only `page_token` may be empty.
absl::Status SetFieldsFromQuery(std::string_view query,
                                const std::vector<google::protobuf::Message*>& messages);

// Sets the fields that `json`, an object, has. Only `page_token` may be empty, and only it and
// what is no text may be null, which is as good as absent. Why not Protobuf's own parser: what it
// says of a mistake is for programmers.
absl::Status SetFieldsFromJson(std::string_view json, google::protobuf::Message& message);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_REQUEST_FIELDS_H_
