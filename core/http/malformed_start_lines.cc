// Malformed methods, request targets and versions.
#include <string_view>

#include "core/http/malformed_requests.h"

namespace pillion::http::internal {
namespace {

struct StartLine {
  std::string_view line;  // without CRLF; "Host: orders" follows
  int status;
};

constexpr StartLine kVersions[] = {
    {"GET /", 400},  // HTTP/0.9
    {"GET / ", 400},
    {"GET", 400},
    {"HTTP/1.1", 400},
    {"GET HTTP/1.1", 400},
    {"GET /HTTP/1.1", 400},
    {"GET / HTTP/1.1 ", 400},
    {"GET / HTTP/1.1\t", 400},
    {"GET /\tHTTP/1.1", 400},
    {"GET / HTTP/1.1 HTTP/1.1", 400},
    {"GET / HTTP/1.1 x", 400},
    {"GET / http/1.1", 400},
    {"GET / Http/1.1", 400},
    {"GET / HTTP/1", 400},
    {"GET / HTTP/1.", 400},
    {"GET / HTTP/.1", 400},
    {"GET / HTTP/1,1", 400},
    {"GET / HTTP/1.x", 400},
    {"GET / HTTP/x.1", 400},
    {"GET / HTTP/ 1.1", 400},
    {"GET / HTTP/1 .1", 400},
    {"GET / HTTP/1. 1", 400},
    {"GET / HTTP /1.1", 400},
    {"GET / HTTP1.1", 400},
    {"GET / HTTP\\1.1", 400},
    {"GET / HTTP//1.1", 400},
    {"GET / HTTP/1..1", 400},
    {"GET / HTTP/1.1.1", 400},
    {"GET / HTTP/01.1", 400},
    {"GET / HTTP/1.10", 400},
    {"GET / HTTP/11.1", 400},
    {"GET / HTTP/-1.1", 400},
    {"GET / HTTP/+1.1", 400},
    {"GET / HTTP/1.-1", 400},
    {"GET / HTTP/0x1.1", 400},
    {"GET / HTTPS/1.1", 400},
    {"GET / HTT/1.1", 400},
    {"GET / XHTTP/1.1", 400},
    {"GET / ICAP/1.0", 400},
    {"GET / RTSP/1.0", 400},
    {"OPTIONS sip:orders SIP/2.0", 400},
    {"GET / HTTP/\xef\xbc\x91.1", 400},
    {"HTTP/1.1 GET /", 400},
    {"HTTP/1.1 200 OK", 400},
    {"GET / HTTP/0.0", 505},
    {"GET / HTTP/0.9", 505},
    {"GET / HTTP/2.0", 505},
    {"GET / HTTP/3.0", 505},
    {"GET / HTTP/9.9", 505},
    {"PRI * HTTP/2.0", 505},  // how HTTP/2 begins
};

constexpr StartLine kMethods[] = {
    {" GET / HTTP/1.1", 400},
    {"\tGET / HTTP/1.1", 400},
    {" / HTTP/1.1", 400},
    {"/ HTTP/1.1", 400},
    {"GET\t/ HTTP/1.1", 400},
    {"GET \t/ HTTP/1.1", 400},
    {"G ET / HTTP/1.1", 400},
    {"GET: / HTTP/1.1", 400},
    {"GET, / HTTP/1.1", 400},
    {"GET; / HTTP/1.1", 400},
    {"G(T / HTTP/1.1", 400},
    {"G)T / HTTP/1.1", 400},
    {"G@T / HTTP/1.1", 400},
    {"G[T / HTTP/1.1", 400},
    {"G]T / HTTP/1.1", 400},
    {"G{T / HTTP/1.1", 400},
    {"G}T / HTTP/1.1", 400},
    {"\"GET\" / HTTP/1.1", 400},
    {"G<T / HTTP/1.1", 400},
    {"G>T / HTTP/1.1", 400},
    {"G=T / HTTP/1.1", 400},
    {"G?T / HTTP/1.1", 400},
    {"G\\T / HTTP/1.1", 400},
    {"G/T / HTTP/1.1", 400},
    {"G\x80T / HTTP/1.1", 400},
    {"G\xc3\x89T / HTTP/1.1", 400},
    {"\xef\xbb\xbfGET / HTTP/1.1", 400},
    {"CONNECT orders:80 HTTP/1.1", 501},
    {"CONNECT orders:80 HTTP/1.0", 501},
    {"CONNECT / HTTP/1.1", 501},
    {"CONNECT http://orders/ HTTP/1.1", 501},
    {"connect orders:80 HTTP/1.1", 400},
};

// Request targets; "GET" and "HTTP/1.1" stand around them.
constexpr std::string_view kTargets[] = {
    " /",
    "/ ",
    "/a b",
    "/a\tb",
    "orders",
    "orders/path",
    "orders:80",
    "?q",
    "#",
    "/#f",
    "/a#f",
    "/a?b#c",
    "*",
    "**",
    "*/",
    "*?q",
    "\\",
    "/\\",
    "/a\\b",
    "\\\\orders\\a",
    "/\"",
    "/<",
    "/>",
    "/\xc3\xa4",
    "/\xff",
    "/\x80",
    "/?\xc3\xa4",
    "/?\"",
    "/?<",
    "/?>",
    "/?a b",
    "/?a\tb",
    "../",
    "./",
    "%2f",
    "%",
    ";",
    ":",
    "://orders/",
    "http",
    "http:",
    "http:/",
    "http:/orders/",
    "http:orders",
    "http//orders/",
    "http://",
    "http:///",
    "http:///path",
    "http://?q",
    "http://#",
    "http://:80/",
    "http://orders:/",
    "http://orders:0/",
    "http://orders:00/",
    "http://orders:65536/",
    "http://orders:999999/",
    "http://orders:80a/",
    "http://orders:-1/",
    "http://orders:+80/",
    "http://orders:0x50/",
    "http://orders: 80/",
    "http://orders:80:80/",
    "http://user@orders/",
    "http://user:pw@orders/",
    "http://@orders/",
    "http://orders@evil/",
    "http://orders:80@evil/",
    "http://orders%2e/",
    "http://ord%65rs/",
    "http://orders%00/",
    "http://orders%/",
    "http://orders\\evil/",
    "http://orders#x",
    "http://orders/#x",
    "http://orders/a b",
    "http://orders/\"",
    "http://orders/\xc3\xa4",
    "http://\xc3\xa4/",
    "http://[::1",
    "http://[::1/",
    "http://::1/",
    "http://[::g]/",
    "http://[]/",
    "http://[::1]x/",
    "http://[::1]:/",
    "http://[::1]:65536/",
    "http://[::1]80/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.x]/",
    "http://[127.0.0.1]/",
    "http://[[::1]]/",
    "http://[::1/]",
    "http://a b/",
    "http://<orders>/",
    "http://\"orders\"/",
    "http://{orders}/",
    "http://orders|/",
    "http://orders^/",
    "http://http://orders/",
    "https://orders/",
    "ftp://orders/",
    "ws://orders/",
    "file:///etc/passwd",
    "gopher://orders/",
    "javascript:alert(1)",
    "urn:orders",
    "data:,x",
    "xhttp://orders/",
    "http ://orders/",
    "http:\\\\orders\\",
};

}  // namespace

void AddMalformedStartLines(std::vector<MalformedRequest>* out) {
  const auto add = [out](std::string_view line, int status) {
    out->push_back({"start line: " + std::string(line),
                    std::string(line) + "\r\nHost: orders\r\n\r\n", status});
  };
  for (const StartLine& start : kVersions) add(start.line, start.status);
  for (const StartLine& start : kMethods) add(start.line, start.status);
  for (std::string_view target : kTargets) add("GET " + std::string(target) + " HTTP/1.1", 400);
  for (const char* method : {"POST", "HEAD", "PUT", "DELETE", "options"})
    add(std::string(method) + " * HTTP/1.1", 400);

  const std::string rest = "\r\nHost: orders\r\n\r\n";
  const std::string endless(70000, 'a');
  const std::string long_text(17000, 'a');
  out->push_back({"too long a path", "GET /" + long_text + " HTTP/1.1" + rest, 414});
  out->push_back({"too long a query", "GET /?" + long_text + " HTTP/1.1" + rest, 414});
  out->push_back(
      {"too long an absolute-form", "GET http://orders/" + long_text + " HTTP/1.1" + rest, 414});
  out->push_back(
      {"too long a host in absolute-form", "GET http://" + long_text + "/ HTTP/1.1" + rest, 414});
  out->push_back({"too long a method", long_text + " / HTTP/1.1" + rest, 414});
  out->push_back({"a request line that never ends", "GET /" + endless, 414});
  out->push_back({"text without end", endless, 414});

  out->push_back(
      {"three empty lines before the request line", "\r\n\r\n\r\nGET / HTTP/1.1" + rest, 400});
  out->push_back({"LF before the request line", "\nGET / HTTP/1.1" + rest, 400});
  out->push_back({"CR before the request line", "\rGET / HTTP/1.1" + rest, 400});
  out->push_back(
      {"space and an empty line before the request line", " \r\nGET / HTTP/1.1" + rest, 400});
  out->push_back({"TLS", std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11), 400});
  out->push_back({"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505});
  out->push_back({"SSH", "SSH-2.0-OpenSSH_9.2\r\n", 400});
  out->push_back({"SMTP", "EHLO orders\r\n", 400});
  out->push_back(
      {"PROXY protocol", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1" + rest, 400});
  out->push_back({"one LF only", "\n", 400});
  out->push_back({"one NUL only", std::string(1, '\0'), 400});
}

}  // namespace pillion::http::internal
