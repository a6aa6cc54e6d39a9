// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/frame.h"

#include <algorithm>
#include <utility>

namespace ward::ttrpc {
namespace {

std::uint32_t read_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
}

}  // namespace

std::optional<Frame> FrameDecoder::next(std::string_view& bytes) {
  if (header_size_ < kFrameHeaderBytes) {
    const std::size_t taken = std::min(kFrameHeaderBytes - header_size_, bytes.size());
    std::copy_n(bytes.data(), taken, header_.data() + header_size_);
    bytes.remove_prefix(taken);
    header_size_ += taken;
    if (header_size_ < kFrameHeaderBytes) return std::nullopt;
    missing_ = read_u32(header_.data());
    frame_ = Frame{};
    frame_.stream = read_u32(header_.data() + 4);
    frame_.type = static_cast<FrameType>(header_[8]);
    frame_.flags = static_cast<std::uint8_t>(header_[9]);
    frame_.oversize = missing_ > kMaxFrameBytes;
  }
  const std::size_t taken = std::min(missing_, bytes.size());
  if (!frame_.oversize) frame_.payload.append(bytes.data(), taken);
  bytes.remove_prefix(taken);
  missing_ -= taken;
  if (missing_ > 0) return std::nullopt;
  header_size_ = 0;
  return std::exchange(frame_, Frame{});
}

std::string encode_frame(std::uint32_t stream, FrameType type, std::string_view payload) {
  std::string out;
  out.reserve(kFrameHeaderBytes + payload.size());
  append_u32(out, static_cast<std::uint32_t>(payload.size()));
  append_u32(out, stream);
  out.push_back(static_cast<char>(type));
  out.push_back('\0');
  out.append(payload);
  return out;
}

}  // namespace ward::ttrpc
