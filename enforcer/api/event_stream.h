// SPDX-License-Identifier: Apache-2.0
// One ListEvents call: a cursor into the journal. Nothing is queued for a slow reader, it is read
// from the journal when the reader has taken what came before. Lives on the core loop; gRPC's
// threads only post to it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <asio/io_context.hpp>
#include <deque>
#include <memory>
#include <set>

#include "enforcer/api/operations.h"
#include "enforcer/journal/journal.h"
#include "ward/v1/api.grpc.pb.h"

namespace ward::enforcer {

struct OpenStreams;

// gRPC ends it: OnDone deletes the object, and nobody else may, hence the private destructor of a
// class that is final.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor)
class EventStream final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  // `context` is the call's.
  EventStream(asio::io_context& core, Journal& journal, std::shared_ptr<OpenStreams> open,
              grpc::CallbackServerContext* context, v1::ListEventsRequest request);

  // Core loop; which container the request names is known, or why not.
  void begin(const Result<Operations::EventsOf>& of);
  void end(grpc::Status status);  // core loop; once it is over, more calls do nothing

  // Called by gRPC.
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ~EventStream() override = default;
  Result<void> find_place();
  [[nodiscard]] bool is_wanted(const JournalRecord& record) const;
  void advance();

  asio::io_context& core_;
  Journal& journal_;
  std::shared_ptr<OpenStreams> open_;
  grpc::CallbackServerContext* context_;
  const v1::ListEventsRequest request_;
  Operations::EventsOf of_;
  std::uint64_t after_ = 0;
  std::uint64_t newest_at_begin_ = 0;  // what comes behind it is new, whenever it happened
  std::deque<JournalRecord> page_;
  v1::Event writing_;
  bool write_in_flight_ = false;
  bool over_ = false;
  bool counted_ = false;
  std::uint64_t subscription_ = 0;
};

// The streams that are open, so that they can be ended at shutdown. Core loop only.
struct OpenStreams {
  std::set<EventStream*> streams;
  int followers = 0;
  bool closing = false;
};

}  // namespace ward::enforcer
