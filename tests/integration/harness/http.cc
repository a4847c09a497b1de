#include "tests/integration/harness/http.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace pillion::harness {
namespace {

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

struct Head {
  std::string start_line;
  Headers headers;
};

Headers ParseFields(std::string_view lines) {
  Headers headers;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find("\r\n"), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 2, lines.size()));
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string value(line.substr(std::min(colon + 1, line.size())));
    if (!line.empty()) {
      headers.emplace_back(line.substr(0, colon), std::string(absl::StripAsciiWhitespace(value)));
    }
  }
  return headers;
}

absl::StatusOr<Head> ReadHead(Connection& connection, Deadline deadline) {
  auto text = connection.ReadThrough("\r\n\r\n", deadline);
  if (!text.ok()) return text.status();
  const size_t end = text->find("\r\n");
  return Head{text->substr(0, end), ParseFields(std::string_view(*text).substr(end + 2))};
}

// Reads `size` bytes in pieces. False: the sink has had enough.
absl::StatusOr<bool> Copy(Connection& connection, uint64_t size, const BodySink& sink,
                          Deadline deadline) {
  while (size > 0) {
    auto piece = connection.ReadSome(std::min<uint64_t>(size, 256 * 1024), deadline);
    if (!piece.ok()) return piece.status();
    if (piece->empty())
      return absl::OutOfRangeError(absl::StrCat("the body lacks its last ", size, " bytes"));
    size -= piece->size();
    if (!sink(*piece)) return false;
  }
  return true;
}

absl::Status ReadChunks(Connection& connection, const BodySink& sink, Headers* trailers,
                        Deadline deadline) {
  while (true) {
    auto line = connection.ReadThrough("\r\n", deadline);
    if (!line.ok()) return line.status();
    const std::string digits = line->substr(0, line->find_first_of(";\r"));
    uint64_t size = 0;
    if (!absl::SimpleHexAtoi(digits, &size))
      return absl::DataLossError(absl::StrCat("bad chunk size: ", *line));
    if (size == 0) break;
    auto more = Copy(connection, size, sink, deadline);
    if (!more.ok() || !*more) return more.status();
    auto end = connection.ReadExactly(2, deadline);
    if (!end.ok()) return end.status();
    if (*end != "\r\n") return absl::DataLossError("a chunk does not end with CRLF");
  }
  // The trailers end with an empty line, which is all there is if there are none.
  std::string lines;
  while (!absl::EndsWith(absl::StrCat("\r\n", lines), "\r\n\r\n")) {
    auto line = connection.ReadThrough("\r\n", deadline);
    if (!line.ok()) return line.status();
    lines += *line;
  }
  if (trailers != nullptr) *trailers = ParseFields(lines);
  return absl::OkStatus();
}

absl::Status ReadUntilClose(Connection& connection, const BodySink& sink, Deadline deadline) {
  while (true) {
    auto piece = connection.ReadSome(256 * 1024, deadline);
    if (!piece.ok() || piece->empty() || !sink(*piece)) return piece.status();
  }
}

bool IsChunked(const Headers& headers) {
  const auto encoding = FindHeader(headers, "transfer-encoding");
  return encoding && absl::EndsWithIgnoreCase(*encoding, "chunked");
}

// Writes a head, complete but for how the body is delimited, and the body.
absl::Status Write(Connection& connection, std::string head, const Headers& headers,
                   const std::string& body, const BodySource& source, bool may_have_body,
                   bool announce_empty, Deadline deadline) {
  for (const auto& [name, value] : headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
  const bool delimited =
      FindHeader(headers, "content-length") || FindHeader(headers, "transfer-encoding");
  const bool chunked = source ? !FindHeader(headers, "content-length") : IsChunked(headers);
  if (may_have_body && !delimited) {
    if (source) {
      head += "Transfer-Encoding: chunked\r\n";
    } else if (!body.empty() || announce_empty) {
      absl::StrAppend(&head, "Content-Length: ", body.size(), "\r\n");
    }
  }
  head += "\r\n";
  const auto write_piece = [&](const std::string& piece) {
    if (!chunked) return connection.Send(piece, deadline);
    return connection.Send(absl::StrCat(absl::Hex(piece.size()), "\r\n", piece, "\r\n"), deadline);
  };
  // As servers do it: a small answer in one piece.
  if (may_have_body && !source && !chunked) return connection.Send(head + body, deadline);
  absl::Status sent = connection.Send(head, deadline);
  if (!may_have_body) return sent;
  if (source) {
    for (std::string piece = source(); sent.ok() && !piece.empty(); piece = source())
      sent = write_piece(piece);
  } else if (sent.ok() && !body.empty()) {
    sent = write_piece(body);
  }
  if (sent.ok() && chunked) sent = connection.Send("0\r\n\r\n", deadline);
  return sent;
}

BodySink SinkOr(const BodySink& sink, std::string& body) {
  if (sink) return sink;
  return [&body](std::string_view piece) {
    body += piece;
    return true;
  };
}

}  // namespace

std::optional<std::string> FindHeader(const Headers& headers, std::string_view name) {
  for (const auto& [header, value] : headers) {
    if (absl::EqualsIgnoreCase(header, ToAbsl(name))) return value;
  }
  return std::nullopt;
}

bool SaysClose(const Headers& headers) {
  const auto connection = FindHeader(headers, "connection");
  return connection && absl::StrContains(absl::AsciiStrToLower(*connection), "close");
}

absl::Status WriteRequest(Connection& connection, const Request& request, Deadline deadline) {
  const bool announce_empty =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  return Write(connection, absl::StrCat(request.method, " ", request.target, " HTTP/1.1\r\n"),
               request.headers, request.body, request.body_source, /*may_have_body=*/true,
               announce_empty, deadline);
}

absl::Status WriteResponse(Connection& connection, const Response& response,
                           std::string_view request_method, Deadline deadline) {
  const std::string& reason = response.reason.empty() ? "Test" : response.reason;
  const bool may_have_body = request_method != "HEAD" && response.status >= 200 &&
                             response.status != 204 && response.status != 304;
  return Write(connection, absl::StrCat("HTTP/1.1 ", response.status, " ", reason, "\r\n"),
               response.headers, response.body, response.body_source, may_have_body,
               /*announce_empty=*/true, deadline);
}

absl::StatusOr<Request> ReadRequestHead(Connection& connection, Deadline deadline) {
  auto first = connection.Peek(deadline);
  if (!first.ok()) return first.status();
  if (first->empty()) return absl::NotFoundError("the peer closed");
  auto head = ReadHead(connection, deadline);
  if (!head.ok()) return head.status();
  const std::string& line = head->start_line;
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string::npos || target_end == method_end) {
    return absl::DataLossError(absl::StrCat("not a request line: ", line));
  }
  Request request;
  request.method = line.substr(0, method_end);
  request.target = line.substr(method_end + 1, target_end - method_end - 1);
  request.headers = std::move(head->headers);
  return request;
}

absl::Status ReadRequestBody(Connection& connection, Request& request, const BodySink& sink,
                             Deadline deadline) {
  const BodySink to = SinkOr(sink, request.body);
  if (IsChunked(request.headers)) return ReadChunks(connection, to, nullptr, deadline);
  uint64_t size = 0;
  const auto length = request.Header("content-length");
  if (length && !absl::SimpleAtoi(*length, &size)) return absl::DataLossError("bad Content-Length");
  return Copy(connection, size, to, deadline).status();
}

absl::StatusOr<Response> ReadResponse(Connection& connection, std::string_view request_method,
                                      const BodySink& sink, Deadline deadline) {
  Response response;
  do {
    auto head = ReadHead(connection, deadline);
    if (!head.ok()) return head.status();
    const std::string& line = head->start_line;
    if (line.size() < 12 || !absl::StartsWith(line, "HTTP/1.") ||
        !absl::SimpleAtoi(line.substr(9, 3), &response.status)) {
      return absl::DataLossError(absl::StrCat("not a status line: ", line));
    }
    response.reason = line.size() > 13 ? line.substr(13) : "";
    response.headers = std::move(head->headers);
  } while (response.status < 200 && response.status != 101);

  if (request_method == "HEAD" || response.status == 101 || response.status == 204 ||
      response.status == 304) {
    return response;
  }
  const BodySink to = SinkOr(sink, response.body);
  const auto length = response.Header("content-length");
  absl::Status read;
  uint64_t size = 0;
  if (IsChunked(response.headers)) {
    read = ReadChunks(connection, to, &response.trailers, deadline);
  } else if (!length) {
    read = ReadUntilClose(connection, to, deadline);
  } else if (absl::SimpleAtoi(*length, &size)) {
    read = Copy(connection, size, to, deadline).status();
  } else {
    read = absl::DataLossError(absl::StrCat("bad Content-Length: ", *length));
  }
  if (!read.ok()) return read;
  return response;
}

}  // namespace pillion::harness
