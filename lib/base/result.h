// SPDX-License-Identifier: Apache-2.0
// The one error model of Ward: a value or an Error. Codes are the canonical RPC codes with their
// wire numbers, so the ttrpc and gRPC edges translate by cast. Callers branch on the code, never on
// the message; the message is for people.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ward {

enum class Code : int {
  kOk = 0,
  kCanceled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
};

struct Error {
  Code code = Code::kUnknown;
  std::string message;
  int sys_errno = 0;  // 0 where no system call failed
};

template <typename T>
using Result = tl::expected<T, Error>;

// return fail(Code::kNotFound, "no such thing");
tl::unexpected<Error> fail(Code code, std::string message);

// An Error from errno: the message is "<what>: <strerror>", the code the nearest canonical one
// (ENOENT is kNotFound,
// ...).
tl::unexpected<Error> fail_errno(std::string_view what, int error = errno);

// Adds context outward: "<context>: <message>"; code and errno stay.
Error with_context(std::string_view context, Error error);
tl::unexpected<Error> fail_with(std::string_view context, Error error);

Code code_from_errno(int error);
std::string_view code_name(Code code);

}  // namespace ward
