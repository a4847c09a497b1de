// Malformed header lines, line ends, Host and Expect.
#include <string_view>

#include "core/http/malformed_requests.h"

namespace pillion::http::internal {
namespace {

// Values of Host.
constexpr std::string_view kHosts[] = {
    "",
    " ",
    "\t",
    "a b",
    "a\tb",
    "orders evil",
    "a/b",
    "/",
    "a\\b",
    "a?b",
    "a#b",
    "user@orders",
    "user:pw@orders",
    "@orders",
    "orders@",
    "http://orders",
    "orders/",
    "orders:",
    "orders:0",
    "orders:65536",
    "orders:100000",
    "orders:abc",
    "orders:80a",
    "orders:80:80",
    "orders:-80",
    "orders:+80",
    "orders: 80",
    "orders :80",
    ":",
    ":80",
    "orders%20",
    "%6frders",
    "orders%00",
    "%",
    "[::1",
    "::1",
    "[::1]80",
    "[::1]:",
    "[::1]:0",
    "[::1]:65536",
    "[zz::]",
    "[]",
    "[",
    "]",
    "[::1]]",
    "[::1%lo]",
    "[::1%25lo]",
    "[127.0.0.1]",
    "[::ffff:1.2.3.4.5]",
    "[1:2:3:4:5:6:7:8:9]",
    "x[::1]",
    "<orders>",
    "\"orders\"",
    "{orders}",
    "orders|x",
    "orders^",
    "or`ders",
    "\xc3\xa4",
    "orders\x80",
};

// Lines after a valid "Host: orders".
constexpr std::string_view kLines[] = {
    "X",
    "X y",
    "X y z",
    ":",
    ": y",
    " : y",
    "X : y",
    "X\t: y",
    "X \t : y",
    " X: y",
    "\tX: y",
    "X: y\r\n z",
    "X: y\r\n\tz",
    "X: y\r\n ",
    "X: y\r\n\t",
    " ",
    "\t",
    "X Y: z",
    "X\tY: z",
    "\xc3\xa4: y",
    "X\x80: y",
    "X\xff: y",
    "GET / HTTP/1.1",
    "GET http://evil/ HTTP/1.1",
    "HTTP/1.1 200 OK",
    "=",
    "X=y",
    "{\"a\":1}",
    "<a>: b",
};

constexpr std::string_view kNotInNames = "(),/;<=>?@[\\]{}\"";

// Names that a server which reads headers as CGI variables (RFC 3875 section 4.1.18) takes for
// others.
constexpr std::string_view kAliases[] = {
    "Content_Length: 5",
    "content_length: 5",
    "Transfer_Encoding: chunked",
    "TRANSFER_ENCODING: chunked",
    "x_forwarded_for: 10.0.0.1",
    "X-Forwarded_For: 10.0.0.1",
    "Content_Type: x",
    "user_agent: x",
    "pillion_delivery_id: 1",
    "x_request_id: 1",
    "idempotency_key: 1",
};

// Values of Expect.
constexpr std::string_view kExpectations[] = {
    "",
    "200-ok",
    "100",
    "continue",
    "100-continue, x",
    "x, 100-continue",
    "100-continue;q=1",
    "\"100-continue\"",
    "100 -continue",
    "100-continue\r\nExpect: x",
};

void AddLineEnds(std::vector<MalformedRequest>* out) {
  const auto add = [out](const char* name, std::string_view bytes) {
    out->push_back({std::string("line ends: ") + name, std::string(bytes), 400});
  };
  add("LF only", "GET / HTTP/1.1\nHost: orders\n\n");
  add("LF after the request line", "GET / HTTP/1.1\nHost: orders\r\n\r\n");
  add("LF after a header", "GET / HTTP/1.1\r\nHost: orders\nX: y\r\n\r\n");
  add("LF after the last header", "GET / HTTP/1.1\r\nHost: orders\n\r\n");
  add("LF as the last line", "GET / HTTP/1.1\r\nHost: orders\r\n\n");
  add("CR only", "GET / HTTP/1.1\rHost: orders\r\r");
  add("CR after the request line", "GET / HTTP/1.1\rHost: orders\r\n\r\n");
  add("CR after a header", "GET / HTTP/1.1\r\nHost: orders\rX: y\r\n\r\n");
  add("CR as the last line", "GET / HTTP/1.1\r\nHost: orders\r\n\rX");
  add("CR CR LF", "GET / HTTP/1.1\r\r\nHost: orders\r\n\r\n");
  add("CR CR LF after a header", "GET / HTTP/1.1\r\nHost: orders\r\r\n\r\n");
  add("LF CR", "GET / HTTP/1.1\n\rHost: orders\n\r\n\r");
  add("CR in a value", "GET / HTTP/1.1\r\nHost: orders\r\nX: a\rb\r\n\r\n");
  add("LF in a value", "GET / HTTP/1.1\r\nHost: orders\r\nX: a\nb\r\n\r\n");
  add("CR in a name", "GET / HTTP/1.1\r\nHost: orders\r\nX\rY: a\r\n\r\n");
  add("LF in a name", "GET / HTTP/1.1\r\nHost: orders\r\nX\nY: a\r\n\r\n");
  add("CR before a colon", "GET / HTTP/1.1\r\nHost: orders\r\nX\r: a\r\n\r\n");
  add("CRLF before a colon", "GET / HTTP/1.1\r\nHost: orders\r\nX\r\n: a\r\n\r\n");
  add("CR in the path", "GET /\r HTTP/1.1\r\nHost: orders\r\n\r\n");
  add("LF in the path", "GET /\n HTTP/1.1\r\nHost: orders\r\n\r\n");
  add("CRLF in the path", "GET /\r\n HTTP/1.1\r\nHost: orders\r\n\r\n");
  add("CR in the method", "G\rET / HTTP/1.1\r\nHost: orders\r\n\r\n");
  add("a header hidden behind LF",
      "GET / HTTP/1.1\r\nHost: orders\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  add("a header hidden behind CR",
      "GET / HTTP/1.1\r\nHost: orders\r\nX: a\rContent-Length: 5\r\n\r\nhello");
  add("a request hidden behind LF LF",
      "GET / HTTP/1.1\r\nHost: orders\r\nX: a\n\nGET /admin HTTP/1.1\r\n\r\n");
  add("a folded first header", "GET / HTTP/1.1\r\n Host: orders\r\n\r\n");
  add("white space before the end", "GET / HTTP/1.1\r\nHost: orders\r\n \r\n\r\n");
}

void AddHosts(std::vector<MalformedRequest>* out) {
  const auto add = [out](const std::string& name, const std::string& head) {
    out->push_back({"host: " + name, head + "\r\n", 400});
  };
  for (std::string_view host : kHosts) {
    const std::string value(host);
    add("'" + value + "'", "GET / HTTP/1.1\r\nHost: " + value + "\r\n");
  }
  add("none", "GET / HTTP/1.1\r\n");
  add("none but other headers", "GET / HTTP/1.1\r\nAccept: */*\r\nX-Host: orders\r\n");
  add("two", "GET / HTTP/1.1\r\nHost: orders\r\nHost: evil\r\n");
  add("the same twice", "GET / HTTP/1.1\r\nHost: orders\r\nHost: orders\r\n");
  add("two in different case", "GET / HTTP/1.1\r\nHost: orders\r\nhOST: evil\r\n");
  add("three", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nHost: c\r\n");
  add("two, the second empty", "GET / HTTP/1.1\r\nHost: orders\r\nHost:\r\n");
  add("two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: orders\r\nHost: evil\r\n");
  add("empty in HTTP/1.0", "GET / HTTP/1.0\r\nHost:\r\n");
  add("none with absolute-form", "GET http://orders/ HTTP/1.1\r\n");
  add("two with absolute-form", "GET http://orders/ HTTP/1.1\r\nHost: orders\r\nHost: orders\r\n");
  add("invalid with absolute-form", "GET http://orders/ HTTP/1.1\r\nHost: a b\r\n");
  add("empty with absolute-form", "GET http://orders/ HTTP/1.1\r\nHost:\r\n");
  add("user information with absolute-form", "GET http://orders/ HTTP/1.1\r\nHost: x@orders\r\n");
  add("none for OPTIONS *", "OPTIONS * HTTP/1.1\r\n");
  add("white space before the colon", "GET / HTTP/1.1\r\nHost : orders\r\n");
  add("folded", "GET / HTTP/1.1\r\nHost:\r\n orders\r\n");
}

}  // namespace

void AddMalformedHeaders(std::vector<MalformedRequest>* out) {
  const std::string start = "GET / HTTP/1.1\r\nHost: orders\r\n";
  const auto add = [&](const std::string& name, const std::string& lines, int status) {
    out->push_back({"header: " + name, start + lines + "\r\n\r\n", status});
  };
  AddHosts(out);
  AddLineEnds(out);
  for (std::string_view line : kLines) add(std::string(line), std::string(line), 400);
  for (char c : kNotInNames) add(std::string("name with ") + c, std::string("X") + c + "Y: z", 400);
  for (std::string_view line : kAliases) add(std::string(line), std::string(line), 400);
  for (std::string_view value : kExpectations) {
    const std::string line = "Expect: " + std::string(value);
    add(line, "Content-Length: 5\r\n" + line, 417);
  }

  const std::string endless(70000, 'a');
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  add("too many", many + "X: y", 431);
  add("too many elements of Connection", "Connection: " + std::string(32, ','), 400);
  std::string connections;
  for (int i = 0; i < 33; ++i) connections += "Connection: x" + std::to_string(i) + "\r\n";
  add("too many lines of Connection", connections + "X: y", 400);
  add("too long a value", "X: " + endless, 431);
  add("too long a name", endless + ": y", 431);
  add("too long a value of Host", "X: y\r\nHost: " + endless, 431);
  out->push_back({"header: a value that never ends", start + "X: " + endless, 431});
  out->push_back({"header: a name that never ends", start + endless, 431});
  std::string lines;
  while (lines.size() < 70000) lines += "X: 0123456789012345678901234567890123456789\r\n";
  out->push_back({"header: lines that never end", start + lines, 431});
}

}  // namespace pillion::http::internal
