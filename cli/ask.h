// SPDX-License-Identifier: Apache-2.0
// One question of a verb to wardd: an error is printed, and so is the answer as JSON where that was
// asked for. What an answer looks like as text is the verb's own.
#pragma once

#include <grpcpp/client_context.h>

#include <string>

#include "cli/present/json.h"
#include "cli/progress.h"
#include "cli/request_text.h"
#include "cli/session.h"

namespace ward::cli {

template <typename Request, typename Response>
using Question = grpc::Status (ward::v1::Ward::Stub::*)(grpc::ClientContext*, const Request&,
                                                        Response*);

// `doing` is for the error; `kept`, where it is given, gets the answer. Gives the exit code.
template <typename Request, typename Response, typename PrintText>
int ask(Session& session, const std::string& doing, Question<Request, Response> question,
        const Request& request, PrintText print_text, Response* kept = nullptr) {
  if (const auto why = why_not_text(request))
    return session.refuse(doing + ": " + *why, kExitUsage);
  grpc::ClientContext context;
  context.set_deadline(deadline());
  Response answer;
  const auto rpc = [&] {
    const Progress progress("asking wardd");
    return (session.api().*question)(&context, request, &answer);
  }();
  if (!rpc.ok()) {
    return session.fail(doing, rpc);
  }
  if (session.json) {
    session.print(to_json(answer));
  } else {
    print_text(answer);
  }
  if (kept != nullptr) *kept = std::move(answer);
  return kExitOk;
}

}  // namespace ward::cli
