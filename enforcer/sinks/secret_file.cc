// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/secret_file.h"

#include <fcntl.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer::sinks {
namespace {

constexpr std::size_t kMostBytes = 64U << 10U;

Result<UniqueFd> open_secret(const std::string& path) {
  // O_NONBLOCK: a FIFO in its place must not hold us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno("secret file '" + escape(path) + "'");
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("secret file '" + escape(path) + "'");
  const auto wrong = [&path](const char* why) {
    return fail(Code::kFailedPrecondition, "secret file '" + escape(path) + "' " + why);
  };
  if (!S_ISREG(status.st_mode)) return wrong("is no file");
  if (status.st_uid != ::geteuid()) return wrong("belongs to somebody else: chown root");
  if ((status.st_mode & 077U) != 0) return wrong("is open to others: chmod 600");
  return fd;
}

}  // namespace

Result<std::string> read_secret(const std::string& path) {
  auto fd = open_secret(path);
  if (!fd) return tl::unexpected<Error>(fd.error());
  std::string out(kMostBytes + 1, '\0');
  const ssize_t got = ::read(fd->get(), out.data(), out.size());
  if (got < 0) return fail_errno("secret file '" + escape(path) + "'");
  out.resize(static_cast<std::size_t>(got));
  if (out.empty() || out.size() > kMostBytes)
    return fail(Code::kFailedPrecondition, "secret file '" + escape(path) + "' " +
                                               (out.empty() ? "is empty" : "is too large"));
  return out;
}

Result<void> check_secret(const std::string& path) {
  const auto fd = open_secret(path);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return {};
}

Result<std::string> read_secret_line(const std::string& path) {
  auto out = read_secret(path);
  if (!out) return out;
  while (!out->empty() && (out->back() == '\n' || out->back() == '\r')) out->pop_back();
  if (out->empty())
    return fail(Code::kFailedPrecondition, "secret file '" + escape(path) + "' is empty");
  if (out->find_first_of("\r\n") != std::string::npos)
    return fail(Code::kFailedPrecondition,
                "secret file '" + escape(path) + "' has more than one line");
  return out;
}

std::string hmac_sha256_hex(const std::string& key, const std::string& text) {
  crypto_auth_hmacsha256_state state;
  const auto bytes = [](const std::string& of) {
    return reinterpret_cast<const unsigned char*>(of.data());
  };
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> out{};
  crypto_auth_hmacsha256_init(&state, bytes(key), key.size());
  crypto_auth_hmacsha256_update(&state, bytes(text), text.size());
  crypto_auth_hmacsha256_final(&state, out.data());
  return hex({reinterpret_cast<const char*>(out.data()), out.size()});
}

}  // namespace ward::enforcer::sinks
