// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stream_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "lib/json/json.h"

namespace ward::test {
namespace {

constexpr std::size_t kFrameHeaderBytes = 8;
constexpr std::uint32_t kControl = 0x80030000;  // SPDY version 3
constexpr std::uint32_t kSynStream = 1, kSynReply = 2;
constexpr std::uint32_t kLast = 1;  // FLAG_FIN, of a control frame and of a data frame

void put32(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

std::uint32_t read32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A frame: its first word, flags and length, payload.
std::string frame(std::uint32_t first, std::uint32_t flags, std::string_view payload) {
  std::string bytes;
  put32(bytes, first);
  put32(bytes, flags << 24U | static_cast<std::uint32_t>(payload.size()));
  bytes += payload;
  return bytes;
}

// A stored block of deflate (RFC 1951, 3.2.4), and an empty one, upon which a reader hands out what
// it has. Header blocks are one zlib stream, but nobody has to compress.
std::string stored(std::string_view data) {
  const auto size = static_cast<std::uint16_t>(data.size());
  std::string bytes(1, '\0');
  for (const auto half : {size, static_cast<std::uint16_t>(~size)})
    bytes.append({static_cast<char>(half & 0xffU), static_cast<char>(half >> 8U)});
  bytes.append(data).append(std::string_view("\0\0\0\xff\xff", 5));
  return bytes;
}

Result<UniqueFd> connect_loopback(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("connect to port " + std::to_string(port));
  return socket;
}

}  // namespace

Result<StreamClient> StreamClient::open(const PrivateNetwork& network, const std::string& url,
                                        const Streams& streams) {
  const std::string scheme = "http://127.0.0.1:";
  const auto slash = url.find('/', scheme.size());
  if (url.rfind(scheme, 0) != 0 || slash == std::string::npos)
    return fail(Code::kInvalidArgument, "no session is to be had at " + url);
  Result<UniqueFd> socket = fail(Code::kUnavailable, "outside of the network");
  network.within([&] { socket = connect_loopback(std::atoi(url.c_str() + scheme.size())); });
  if (!socket) return tl::unexpected(socket.error());
  StreamClient client(std::move(*socket));
  const auto deadline = Clock::now() + kPatience;
  const auto upgraded =
      client.upgrade(url.substr(std::strlen("http://"), slash - std::strlen("http://")),
                     url.substr(slash), deadline);
  if (!upgraded) return tl::unexpected(upgraded.error());

  std::vector<Kind> kinds{Kind::kError, Kind::kOut, streams.terminal ? Kind::kResize : Kind::kErr};
  if (streams.in) kinds.push_back(Kind::kIn);
  std::sort(kinds.begin(), kinds.end());
  for (const Kind kind : kinds) client.open_stream(kind);
  // What is sent on a stream before its reply is lost.
  while (client.replies_ < kinds.size())
    if (!client.receive(deadline))
      return fail(Code::kUnavailable, "the server does not take the streams");
  return client;
}

Result<void> StreamClient::upgrade(const std::string& host, const std::string& path,
                                   Clock::time_point deadline) {
  send("POST " + path + " HTTP/1.1\r\nHost: " + host +
       "\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
       "v4.channel.k8s.io\r\n"
       "Content-Length: 0\r\n\r\n");
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos)
    if (!receive(deadline))
      return fail(Code::kUnavailable, "no answer to the upgrade: " + received_);
  if (received_.rfind("HTTP/1.1 101 ", 0) != 0) return fail(Code::kFailedPrecondition, received_);
  received_.erase(0, end + 4);
  upgraded_ = true;
  take_frames();
  return {};
}

void StreamClient::open_stream(Kind kind) {
  static const std::map<Kind, std::string> kNames{{Kind::kError, "error"},
                                                  {Kind::kIn, "stdin"},
                                                  {Kind::kOut, "stdout"},
                                                  {Kind::kErr, "stderr"},
                                                  {Kind::kResize, "resize"}};
  std::string headers;
  put32(headers, 1);
  for (const std::string& word : {std::string("streamtype"), kNames.at(kind)}) {
    put32(headers, static_cast<std::uint32_t>(word.size()));
    headers += word;
  }
  std::string payload;
  put32(payload, static_cast<std::uint32_t>(kind));
  put32(payload, 0);                           // associated to no other stream
  payload.append(2, '\0');                     // priority, credential slot
  if (!headers_begun_) payload += "\x78\x01";  // of zlib, without a dictionary
  headers_begun_ = true;
  send(frame(kControl | kSynStream, 0, payload + stored(headers)));
}

void StreamClient::write(std::string_view text) { send_data(Kind::kIn, text); }
void StreamClient::close_input() { send_data(Kind::kIn, {}, /*last=*/true); }
void StreamClient::resize(int columns, int rows) {
  send_data(Kind::kResize, nlohmann::json{{"Width", columns}, {"Height", rows}}.dump());
}

void StreamClient::send_data(Kind kind, std::string_view data, bool last) {
  send(frame(static_cast<std::uint32_t>(kind), last ? kLast : 0, data));
}

void StreamClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      ADD_FAILURE() << "send to the session: " << std::strerror(errno);
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool StreamClient::receive(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd readable{socket_.get(), POLLIN, 0};
  if (ended_ || left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) <= 0) return false;
  char buffer[16384];
  const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  ended_ = size <= 0;
  if (ended_) return false;
  received_.append(buffer, static_cast<std::size_t>(size));
  if (upgraded_) take_frames();
  return true;
}

// Of control frames only replies matter: the server opens no streams, and its end is the
// connection's.
void StreamClient::take_frames() {
  while (received_.size() >= kFrameHeaderBytes) {
    const std::uint32_t first = read32(received_);
    const std::size_t size = read32(std::string_view(received_).substr(4)) & 0xffffffU;
    if (received_.size() < kFrameHeaderBytes + size) return;
    const std::string payload = received_.substr(kFrameHeaderBytes, size);
    received_.erase(0, kFrameHeaderBytes + size);
    if (first == (kControl | kSynReply)) ++replies_;
    if (first == static_cast<std::uint32_t>(Kind::kOut)) out_ += payload;
    if (first == static_cast<std::uint32_t>(Kind::kErr)) err_ += payload;
    if (first == static_cast<std::uint32_t>(Kind::kError)) verdict_ += payload;
  }
}

bool StreamClient::await_output(std::string_view text, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (out_.find(text) == std::string::npos)
    if (!receive(deadline)) return false;
  return true;
}

Result<int> StreamClient::wait(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (receive(deadline)) continue;
  if (!ended_) return fail(Code::kDeadlineExceeded, "the session goes on; stdout: " + out_);
  const auto verdict = parse_json<nlohmann::json>(verdict_);
  if (!verdict.is_object())
    return fail(Code::kUnknown, "the session ended without a status: " + verdict_);
  if (verdict.value("status", "") == "Success") return 0;
  const nlohmann::json::json_pointer code("/details/causes/0/message");
  if (verdict.value("reason", "") != "NonZeroExitCode" || !verdict.contains(code))
    return fail(Code::kUnknown, verdict.value("message", verdict_));
  return std::atoi(verdict.at(code).get<std::string>().c_str());
}

}  // namespace ward::test
