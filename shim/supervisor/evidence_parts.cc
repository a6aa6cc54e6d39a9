// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_parts.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "lib/base/write_all.h"

namespace ward::shim::supervisor {
namespace {

using Lengths = std::array<std::uint32_t, 2>;  // of the name, of the text

constexpr std::size_t kMaxNameBytes = 256;

}  // namespace

void PartSink::give(std::string_view name, std::string_view text) const {
  const Lengths lengths{static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(text.size())};
  std::string frame(sizeof(lengths), '\0');
  std::memcpy(frame.data(), lengths.data(), sizeof(lengths));
  frame.append(name).append(text);
  (void)write_all(fd_, frame, "evidence");  // who does not listen any more needs none
}

bool PartSource::read_from(int fd) {
  std::array<char, 65536> chunk{};
  const ssize_t n = ::read(fd, chunk.data(), chunk.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  bytes_ += static_cast<std::size_t>(n);
  if (bytes_ > kMaxBytes) return false;
  pending_.append(chunk.data(), static_cast<std::size_t>(n));
  return take_frames();
}

bool PartSource::take_frames() {
  std::size_t at = 0;
  while (pending_.size() - at >= sizeof(Lengths)) {
    Lengths lengths{};
    std::memcpy(lengths.data(), pending_.data() + at, sizeof(lengths));
    if (lengths[0] > kMaxNameBytes || lengths[1] > kMaxBytes) return false;
    const std::size_t whole = sizeof(lengths) + lengths[0] + lengths[1];
    if (pending_.size() - at < whole) break;
    const std::string_view frame = std::string_view(pending_).substr(at + sizeof(lengths));
    parts_[std::string(frame.substr(0, lengths[0]))] = frame.substr(lengths[0], lengths[1]);
    at += whole;
  }
  pending_.erase(0, at);
  return true;
}

}  // namespace ward::shim::supervisor
