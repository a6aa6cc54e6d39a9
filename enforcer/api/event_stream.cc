// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/event_stream.h"

#include <algorithm>
#include <asio/post.hpp>

#include "enforcer/api/message_text.h"
#include "enforcer/api/server.h"
#include "enforcer/api/translate.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kPage = 128;  // events read at once; one is at most some kilobytes

bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

EventStream::EventStream(asio::io_context& core, Journal& journal,
                         std::shared_ptr<OpenStreams> open, grpc::CallbackServerContext* context,
                         v1::ListEventsRequest request)
    : core_(core),
      journal_(journal),
      open_(std::move(open)),
      context_(context),
      request_(std::move(request)) {}

void EventStream::begin(const Result<Operations::EventsOf>& of) {
  open_->streams.insert(this);
  if (open_->closing) return end({grpc::StatusCode::UNAVAILABLE, "wardd is shutting down"});
  if (!of) return end({static_cast<grpc::StatusCode>(of.error().code), of.error().message});
  of_ = *of;
  if (request_.follow()) {
    if (open_->followers >= ApiServer::kMaxFollowers) {
      return end({grpc::StatusCode::RESOURCE_EXHAUSTED,
                  std::to_string(ApiServer::kMaxFollowers) +
                      " streams follow the events already: close one"});
    }
    ++open_->followers;
    counted_ = true;
    subscription_ = journal_.subscribe([this] { advance(); });
  }
  if (auto found = find_place(); !found) {
    return end({static_cast<grpc::StatusCode>(found.error().code), found.error().message});
  }
  // The headers tell a follower that it is subscribed, also while there is nothing to say.
  context_->AddInitialMetadata("ward-after", std::to_string(after_));
  // gRPC ends the whole program for a header with other bytes; no container has such a name, so
  // nothing is lost.
  if (!of_.containerd_namespace.empty() && is_plain(of_.containerd_namespace) && is_plain(of_.id)) {
    context_->AddInitialMetadata("ward-container", of_.containerd_namespace + "/" + of_.id);
  }
  StartSendInitialMetadata();
  advance();
}

Result<void> EventStream::find_place() {
  const auto newest = journal_.sequence_before_newest(0, "");
  if (!newest) return tl::unexpected<Error>(newest.error());
  newest_at_begin_ = *newest;
  // Not behind the end, where a database that was begun anew has lower numbers than a follower
  // remembers.
  after_ =
      request_.only_new() ? *newest : std::min<std::uint64_t>(request_.after_sequence(), *newest);
  if (request_.limit() == 0) return {};
  const auto start = journal_.sequence_before_newest(request_.limit(), of_.id);
  if (!start) return tl::unexpected<Error>(start.error());
  after_ = std::max(after_, *start);
  return {};
}

bool EventStream::is_wanted(const JournalRecord& record) const {
  const node::v1::Violation& body = record.entry.body;
  if (record.sequence <= newest_at_begin_ && body.wall_ns() < request_.since_wall_ns())
    return false;
  return of_.containerd_namespace.empty() ||
         body.identity().containerd_namespace() == of_.containerd_namespace;
}

void EventStream::advance() {
  if (over_ || write_in_flight_) return;
  while (page_.empty()) {
    auto records = journal_.read(after_, of_.id, kPage);
    if (!records)
      return end({static_cast<grpc::StatusCode>(records.error().code), records.error().message});
    if (records->empty()) break;
    after_ = records->back().sequence;
    for (JournalRecord& record : *records) {
      if (is_wanted(record)) page_.push_back(std::move(record));
    }
  }
  if (page_.empty()) {
    if (!request_.follow()) end(grpc::Status::OK);
    return;
  }
  writing_ = to_api(page_.front());
  make_text(writing_);
  page_.pop_front();
  write_in_flight_ = true;
  StartWrite(&writing_);
}

void EventStream::end(grpc::Status status) {
  if (over_) return;
  over_ = true;
  if (subscription_ != 0) journal_.unsubscribe(subscription_);
  if (counted_) --open_->followers;
  Finish(std::move(status));
}

void EventStream::OnWriteDone(bool ok) {
  asio::post(core_, [this, ok] {
    write_in_flight_ = false;
    if (!ok) return end(grpc::Status::CANCELLED);
    advance();
  });
}

void EventStream::OnCancel() {
  asio::post(core_, [this] { end(grpc::Status::CANCELLED); });
}

// The last of gRPC's calls; what was posted before it runs before this.
void EventStream::OnDone() {
  asio::post(core_, [this] {
    open_->streams.erase(this);
    delete this;
  });
}

}  // namespace ward::enforcer
