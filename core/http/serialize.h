// Writing of HTTP/1.1 heads.
//
// The version is always HTTP/1.1, whatever was received (a proxy sends its own, RFC 9110
// section 6.2). Headers are written as they stand in the list, framing ones included: see
// SetFraming in header_rules.h. Text is not checked here; HeaderList says who checks it.
//
//   char* end = SerializeTo(buffer, head);   // REQUIRES: SerializedSize(head) bytes of room
//
// Threads: pure functions. None allocates, but for the Append forms.
#ifndef PILLION_CORE_HTTP_SERIALIZE_H_
#define PILLION_CORE_HTTP_SERIALIZE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "core/http/head.h"

namespace pillion::http {

// Exact size in bytes of what SerializeTo writes.
size_t SerializedSize(const RequestHead& head);
size_t SerializedSize(const ResponseHead& head);

// Writes the head with its final empty line, and returns the end of what it wrote. A request is
// written in origin-form from method, path, has_query and query ("*" stays "*"); `target`,
// `authority` and `body` are not looked at. A response is written from status and reason.
char* SerializeTo(char* out, const RequestHead& head);
char* SerializeTo(char* out, const ResponseHead& head);

void AppendTo(std::string* out, const RequestHead& head);
void AppendTo(std::string* out, const ResponseHead& head);

// The standard phrase of a status code ("Not Found"); "Unknown" if there is none. Static storage.
std::string_view ReasonPhrase(int status);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_SERIALIZE_H_
