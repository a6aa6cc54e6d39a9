// SPDX-License-Identifier: Apache-2.0
// Frames of ttrpc: a header of ten bytes (u32 length, u32 stream, u8 type, u8 flags; big endian)
// and up to 4 MiB of data. Pure: bytes in, frames out, however the bytes are cut. The limit is
// checked before anything is allocated, and memory grows with the bytes that came, not with the
// length that was announced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ward::ttrpc {

inline constexpr std::size_t kFrameHeaderBytes = 10;
inline constexpr std::size_t kMaxFrameBytes = 4U << 20U;

// On the wire one byte; values that are not named here are legal and ignored.
enum class FrameType : std::uint8_t { kRequest = 1, kResponse = 2, kData = 3 };

struct Frame {
  std::uint32_t stream = 0;
  FrameType type = FrameType::kRequest;
  std::uint8_t flags = 0;
  bool oversize =
      false;  // announced more than kMaxFrameBytes: the bytes were discarded, payload is empty
  std::string payload;
};

class FrameDecoder {
 public:
  // Takes bytes off the front up to the end of one frame and returns it; or takes all of them and
  // returns nothing.
  std::optional<Frame> next(std::string_view& bytes);

  // Whether the stream would end inside a frame if it ended now.
  [[nodiscard]] bool in_frame() const { return header_size_ > 0; }

 private:
  std::array<char, kFrameHeaderBytes> header_{};
  std::size_t header_size_ = 0;
  std::size_t missing_ = 0;  // data bytes of the current frame that have not come yet
  Frame frame_;
};

// Header and data in one string. `payload` must not be larger than kMaxFrameBytes.
std::string encode_frame(std::uint32_t stream, FrameType type, std::string_view payload);

}  // namespace ward::ttrpc
