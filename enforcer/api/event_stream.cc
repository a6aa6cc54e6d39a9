// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/event_stream.h"

#include <asio/post.hpp>

#include "enforcer/api/server.h"
#include "enforcer/api/translate.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kPage = 128;  // events read at once; one is at most some kilobytes

}  // namespace

EventStream::EventStream(asio::io_context& core, Journal& journal, std::shared_ptr<OpenStreams> open,
                         v1::ListEventsRequest request)
    : core_(core), journal_(journal), open_(std::move(open)), request_(std::move(request)) {}

void EventStream::begin() {
  open_->streams.insert(this);
  if (open_->closing) return end({grpc::StatusCode::UNAVAILABLE, "wardd is shutting down"});
  if (request_.follow()) {
    if (open_->followers >= ApiServer::kMaxFollowers) {
      return end({grpc::StatusCode::RESOURCE_EXHAUSTED,
                  std::to_string(ApiServer::kMaxFollowers) + " streams follow the events already: close one"});
    }
    ++open_->followers;
    counted_ = true;
    subscription_ = journal_.subscribe([this] { advance(); });
  }
  after_ = request_.after_sequence();
  if (request_.limit() > 0) {
    auto start = journal_.sequence_before_newest(request_.limit(), request_.container());
    if (!start) return end({static_cast<grpc::StatusCode>(start.error().code), start.error().message});
    after_ = std::max(after_, *start);
  }
  // The headers tell a follower that it is subscribed, also while there is nothing to say.
  StartSendInitialMetadata();
  advance();
}

void EventStream::advance() {
  if (over_ || write_in_flight_) return;
  if (page_.empty()) {
    auto records = journal_.read(after_, request_.container(), kPage);
    if (!records) return end({static_cast<grpc::StatusCode>(records.error().code), records.error().message});
    page_.assign(std::make_move_iterator(records->begin()), std::make_move_iterator(records->end()));
  }
  if (page_.empty()) {
    if (!request_.follow()) end(grpc::Status::OK);
    return;
  }
  writing_ = to_api(page_.front());
  after_ = page_.front().sequence;
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
