#include "core/http/serialize.h"

#include <array>

#include "core/check.h"
#include "core/http/copy.h"

namespace pillion::http {
namespace {

constexpr std::string_view kVersion = "HTTP/1.1";
constexpr std::string_view kCrLf = "\r\n";
constexpr std::string_view kColon = ": ";
constexpr size_t kStatusDigits = 3;

struct Phrase {
  size_t status;
  std::string_view text;
};

// The IANA registry of status codes.
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

constexpr std::array<std::string_view, 600> MakePhraseByStatus() {
  std::array<std::string_view, 600> table;
  for (const Phrase& phrase : kPhrases) table[phrase.status] = phrase.text;
  return table;
}
constexpr std::array<std::string_view, 600> kPhraseByStatus = MakePhraseByStatus();

char* Put(char* out, char c) {
  *out = c;
  return out + 1;
}

size_t FieldLinesSize(const HeaderList& headers) {
  size_t size = kCrLf.size();
  for (const Header& header : headers) {
    size += header.name.size() + kColon.size() + header.value.size() + kCrLf.size();
  }
  return size;
}

// What stands behind the line of a header. REQUIRES: header.as_received.
const char* LineEnd(const Header& header) {
  return header.value.data() + header.value.size() + kCrLf.size();
}

// Lines that nobody touched are copied as they lie there, those that lie together at once.
char* PutFieldLines(char* out, const HeaderList& headers) {
  const Header* const end = headers.end();
  for (const Header* header = headers.begin(); header != end; ++header) {
    if (header->as_received) {
      const char* const from = header->name.data();
      const char* to = LineEnd(*header);
      for (; header + 1 != end && header[1].as_received && header[1].name.data() == to; ++header) {
        to = LineEnd(header[1]);
      }
      out = Copy(out, {from, static_cast<size_t>(to - from)});
      continue;
    }
    out = Copy(out, header->name);
    out = Copy(out, kColon);
    out = Copy(out, header->value);
    out = Copy(out, kCrLf);
  }
  return Copy(out, kCrLf);
}

std::string_view ReasonOf(const ResponseHead& head) {
  return head.reason.empty() ? ReasonPhrase(head.status) : head.reason;
}

template <typename Head>
void Append(std::string* out, const Head& head) {
  const size_t before = out->size();
  out->resize(before + SerializedSize(head));
  char* const end = SerializeTo(out->data() + before, head);
  PILLION_CHECK(end == out->data() + out->size());
}

}  // namespace

size_t SerializedSize(const RequestHead& head) {
  const size_t query = head.has_query ? 1 + head.query.size() : 0;
  return head.method.size() + 1 + head.path.size() + query + 1 + kVersion.size() + kCrLf.size() +
         FieldLinesSize(head.headers);
}

size_t SerializedSize(const ResponseHead& head) {
  return kVersion.size() + 1 + kStatusDigits + 1 + ReasonOf(head).size() + kCrLf.size() +
         FieldLinesSize(head.headers);
}

char* SerializeTo(char* out, const RequestHead& head) {
  out = Copy(out, head.method);
  out = Put(out, ' ');
  out = Copy(out, head.path);
  if (head.has_query) {
    out = Put(out, '?');
    out = Copy(out, head.query);
  }
  out = Put(out, ' ');
  out = Copy(out, kVersion);
  out = Copy(out, kCrLf);
  return PutFieldLines(out, head.headers);
}

char* SerializeTo(char* out, const ResponseHead& head) {
  PILLION_CHECK(head.status >= 100 && head.status <= 999);
  out = Copy(out, kVersion);
  out = Put(out, ' ');
  out = Put(out, static_cast<char>('0' + head.status / 100));
  out = Put(out, static_cast<char>('0' + head.status / 10 % 10));
  out = Put(out, static_cast<char>('0' + head.status % 10));
  out = Put(out, ' ');
  out = Copy(out, ReasonOf(head));
  out = Copy(out, kCrLf);
  return PutFieldLines(out, head.headers);
}

void AppendTo(std::string* out, const RequestHead& head) { Append(out, head); }
void AppendTo(std::string* out, const ResponseHead& head) { Append(out, head); }

std::string_view ReasonPhrase(int status) {
  const bool listed = status >= 0 && static_cast<size_t>(status) < kPhraseByStatus.size();
  const std::string_view phrase = listed ? kPhraseByStatus[static_cast<size_t>(status)] : "";
  return phrase.empty() ? "Unknown" : phrase;
}

}  // namespace pillion::http
