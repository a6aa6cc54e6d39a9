// SPDX-License-Identifier: Apache-2.0
#include "shim/links/event_publisher.h"

#include <algorithm>
#include <asio/error_code.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <utility>

#include "containerd/events_forward.pb.h"
#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/ttrpc/client.h"

namespace ward::shim::links {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry(50);
constexpr milliseconds kLongestRetry(2000);
constexpr milliseconds kRetryWhileDraining(100);
constexpr auto kMaxDrainWithoutProgress = std::chrono::seconds(2);
// containerd is there and says no: the event behind must not wait for ever.
constexpr int kMaxRefusals = 5;

std::string socket_path(std::string address) {
  constexpr std::string_view kScheme = "unix://";
  if (address.rfind(kScheme, 0) == 0) address.erase(0, kScheme.size());
  return address;
}

bool is_away(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kCanceled;
}

struct Event {
  std::string topic;
  std::string request;  // a serialized ForwardRequest
};

}  // namespace

struct EventPublisher::State : std::enable_shared_from_this<EventPublisher::State> {
  State(asio::io_context& io, std::string address, std::string ns)
      : loop(io),
        containerd_namespace(std::move(ns)),
        has_address(!address.empty()),
        client(io, socket_path(std::move(address))),
        retry(io),
        drain_bound(io) {}

  void send_head();
  void answered(const Result<std::string>& answer);
  void pop();
  void drop(std::deque<Event>::iterator event, const char* why);
  void drained();
  void bound_drain();

  asio::io_context& loop;
  std::string containerd_namespace;
  bool has_address;
  ttrpc::Client client;
  asio::steady_timer retry;
  asio::steady_timer drain_bound;
  std::deque<Event> queue;
  std::size_t queued_bytes = 0;
  milliseconds backoff = kFirstRetry;
  int refusals = 0;        // of the head
  bool in_flight = false;  // the head is on its way
  bool waiting = false;    // for `retry`
  std::uint64_t dropped = 0;
  std::function<void()> done;
};

void EventPublisher::State::send_head() {
  if (in_flight || waiting || queue.empty()) return;
  in_flight = true;
  if (!fault::point("events.before-forward")) {
    asio::post(loop, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->answered(fail(Code::kUnavailable, "a test wants no events"));
    });
    return;
  }
  // A containerd that stands still finds the request in its socket when it goes on: no deadline, or
  // it would find it once for each.
  client.call(
      "containerd.services.events.ttrpc.v1.Events", "Forward", queue.front().request,
      ttrpc::Client::kWhileConnected,
      [weak = weak_from_this()](const Result<std::string>& answer) {
        if (const auto self = weak.lock()) self->answered(answer);
      },
      containerd_namespace);
}

void EventPublisher::State::answered(const Result<std::string>& answer) {
  in_flight = false;
  if (queue.empty()) return;  // given up meanwhile
  if (answer) {
    if (backoff != kFirstRetry)
      log::info("containerd takes events again", {{"waiting", std::to_string(queue.size())}});
    backoff = kFirstRetry;
    pop();
    if (done) bound_drain();
    return queue.empty() ? drained() : send_head();
  }
  if (!is_away(answer.error().code) && ++refusals >= kMaxRefusals) {
    drop(queue.begin(), answer.error().message.c_str());
    refusals = 0;
    return queue.empty() ? drained() : send_head();
  }
  if (backoff == kFirstRetry)
    log::warn("containerd does not take events; kept", {{"error", answer.error().message}});
  waiting = true;
  retry.expires_after(done ? kRetryWhileDraining : backoff);
  backoff = std::min(backoff * 2, kLongestRetry);
  retry.async_wait([weak = weak_from_this()](const asio::error_code&) {
    const auto self = weak.lock();
    if (!self) return;
    self->waiting = false;  // cancelled: somebody wants it sooner
    self->send_head();
  });
}

void EventPublisher::State::pop() {
  queued_bytes -= queue.front().request.size();
  queue.pop_front();
  refusals = 0;
}

void EventPublisher::State::drop(std::deque<Event>::iterator event, const char* why) {
  ++dropped;
  log::error("dropped an event for containerd",
             {{"topic", event->topic}, {"why", why}, {"dropped", std::to_string(dropped)}});
  queued_bytes -= event->request.size();
  queue.erase(event);
}

void EventPublisher::State::drained() {
  if (!done) return;
  drain_bound.cancel();
  asio::post(loop, std::exchange(done, nullptr));
}

void EventPublisher::State::bound_drain() {
  drain_bound.expires_after(kMaxDrainWithoutProgress);
  drain_bound.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error || !self->done) return;
    while (!self->queue.empty()) self->drop(self->queue.begin(), "containerd is away at shutdown");
    self->drained();
  });
}

EventPublisher::EventPublisher(asio::io_context& loop, std::string ttrpc_address,
                               std::string containerd_namespace)
    : state_(std::make_shared<State>(loop, std::move(ttrpc_address),
                                     std::move(containerd_namespace))) {}

EventPublisher::~EventPublisher() {
  state_->retry.cancel();
  state_->drain_bound.cancel();
}

void EventPublisher::publish(std::string topic, std::string type_url,
                             std::string serialized_event) {
  containerd::ForwardRequest request;
  containerd::Envelope* envelope = request.mutable_envelope();
  const std::int64_t now = wall_ns();
  envelope->mutable_timestamp()->set_seconds(now / 1'000'000'000);
  envelope->mutable_timestamp()->set_nanos(static_cast<std::int32_t>(now % 1'000'000'000));
  envelope->set_namespace_(state_->containerd_namespace);
  envelope->set_topic(topic);
  envelope->mutable_event()->set_type_url(std::move(type_url));
  envelope->mutable_event()->set_value(std::move(serialized_event));
  std::string bytes = request.SerializeAsString();

  State& state = *state_;
  state.queued_bytes += bytes.size();
  state.queue.push_back(Event{std::move(topic), std::move(bytes)});
  if (!state.has_address) return state.drop(state.queue.begin(), "TTRPC_ADDRESS is not set");
  // The oldest goes first: of a long outage the last word on each container is worth the most. The
  // head stays while it is on its way, else its answer would be taken for another's.
  while (state.queue.size() > kMaxEvents || state.queued_bytes > kMaxBytes) {
    const auto oldest = state.queue.begin() + (state.in_flight ? 1 : 0);
    if (oldest == state.queue.end()) break;
    state.drop(oldest, "too many are waiting");
  }
  state.send_head();
}

void EventPublisher::drain(std::function<void()> done) {
  state_->done = std::move(done);
  if (state_->queue.empty()) return state_->drained();
  state_->bound_drain();
  state_->retry.cancel();
}

std::size_t EventPublisher::waiting() const { return state_->queue.size(); }

std::uint64_t EventPublisher::dropped() const { return state_->dropped; }

}  // namespace ward::shim::links
