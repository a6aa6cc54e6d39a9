// SPDX-License-Identifier: Apache-2.0
#include "lib/base/result.h"

#include <cstring>

namespace ward {

tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message), 0});
}

tl::unexpected<Error> fail_errno(std::string_view what, int error) {
  std::string message(what);
  message += ": ";
  message += std::strerror(error);
  return tl::unexpected<Error>(Error{code_from_errno(error), std::move(message), error});
}

Error with_context(std::string_view context, Error error) {
  error.message.insert(0, std::string(context) + ": ");
  return error;
}

tl::unexpected<Error> fail_with(std::string_view context, Error error) {
  return tl::unexpected<Error>(with_context(context, std::move(error)));
}

Code code_from_errno(int error) {
  switch (error) {
    case 0: return Code::kOk;
    case ENOENT:
    case ESRCH: return Code::kNotFound;
    case EEXIST: return Code::kAlreadyExists;
    case EPERM:
    case EACCES: return Code::kPermissionDenied;
    case EINVAL:
    case ENAMETOOLONG: return Code::kInvalidArgument;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT: return Code::kResourceExhausted;
    case ETIMEDOUT: return Code::kDeadlineExceeded;
    case ECANCELED: return Code::kCanceled;
    case ENOSYS:
    case EOPNOTSUPP: return Code::kUnimplemented;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN: return Code::kUnavailable;
    default: return Code::kUnknown;
  }
}

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kCanceled: return "canceled";
    case Code::kUnknown: return "unknown";
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kDeadlineExceeded: return "deadline exceeded";
    case Code::kNotFound: return "not found";
    case Code::kAlreadyExists: return "already exists";
    case Code::kPermissionDenied: return "permission denied";
    case Code::kResourceExhausted: return "resource exhausted";
    case Code::kFailedPrecondition: return "failed precondition";
    case Code::kAborted: return "aborted";
    case Code::kOutOfRange: return "out of range";
    case Code::kUnimplemented: return "unimplemented";
    case Code::kInternal: return "internal";
    case Code::kUnavailable: return "unavailable";
  }
  return "unknown";
}

}  // namespace ward
